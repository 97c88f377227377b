"""The root of one batch: the parent of the judging process and, one after the other, of the candidates.

It never sees tests or programs, so a candidate, a copy of it, finds neither in its memory. In a tier with namespaces
it is process 1 of its own process namespace, which no candidate can signal and whose end ends them all.
"""

from __future__ import annotations

import _socket
import array
import contextlib
import gc
import os
import random
import resource
import signal
import struct
import time
from dataclasses import dataclass

from workers.sandbox.inside import candidate, kernel

#: REAP ends a candidate at once; BURY first lets one that closed its channel end by itself, to learn how it did.
SPAWN, REAP, BURY = b"s", b"r", b"b"
#: pid; then, when reaped: wait status, CPU seconds, largest resident size in kB, whether it ended by itself.
SPAWNED, REAPED = struct.Struct("<i"), struct.Struct("<idq?")
_GRACE_SECONDS = 0.2
_OPEN_FILES = 64


@dataclass(frozen=True)
class Confinement:
    """What every candidate of a batch is held to."""

    cpu_seconds: float
    memory_bytes: int
    output_bytes: int
    answer_bytes: int
    seccomp: kernel.SeccompFilter | None
    threads: int
    keep_descriptor: int | None


def serve(orders: _socket.socket, confinement: Confinement) -> int:
    """Spawn and reap candidates as the judging process at the other end of `orders` asks, until it is gone.

    Returns how many were spawned.
    """
    pid = spawned = 0
    while order := orders.recv(1):
        if order == SPAWN:
            pid = _spawn(orders, confinement)
            spawned += 1
        else:
            orders.sendall(_reap(pid, _ends_itself(pid) if order == BURY else False))
            pid = 0
    if pid:
        _reap(pid, False)
    return spawned


def _spawn(orders: _socket.socket, confinement: Confinement) -> int:
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    output = os.memfd_create("output", os.MFD_CLOEXEC)
    parent = os.getpid()
    pid = kernel.bare_fork()
    if not pid:
        try:
            _become_candidate(theirs.fileno(), output, parent, confinement)
        finally:
            os._exit(70)
    theirs.close()
    descriptors = array.array("i", [ours.fileno(), output])
    orders.sendmsg([SPAWNED.pack(pid)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    ours.close()
    os.close(output)
    return pid


def _ends_itself(pid: int) -> bool:
    until = time.monotonic() + _GRACE_SECONDS
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def _reap(pid: int, itself: bool) -> bytes:
    with contextlib.suppress(ProcessLookupError):
        # The candidate leads its own group: where no filter forbids forks, what it started ends with it.
        os.killpg(pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return REAPED.pack(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, itself)


def _limit(confinement: Confinement) -> None:
    cpu_seconds = int(confinement.cpu_seconds) + 2
    for kind, value in (
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_FSIZE, confinement.output_bytes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_AS, confinement.memory_bytes),
        (resource.RLIMIT_NPROC, confinement.threads),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _become_candidate(channel: int, output: int, parent: int, confinement: Confinement) -> None:
    kernel.die_with(parent)
    if confinement.seccomp is None:
        os.setpgid(0, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(channel, candidate.CHANNEL)
    _close_others(confinement.keep_descriptor)
    _limit(confinement)
    if confinement.seccomp is not None:
        confinement.seccomp.install()
    _start_afresh()
    candidate.serve(confinement.answer_bytes)


def _close_others(keep: int | None) -> None:
    first = candidate.CHANNEL + 1
    if keep is not None:
        os.closerange(first, keep)
        first = keep + 1
    os.closerange(first, 1 << 16)


def _start_afresh() -> None:
    """Every program meets the same interpreter: the same seed, and collection switched on."""
    random.seed(0)
    gc.enable()
