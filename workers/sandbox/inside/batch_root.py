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
from typing import NamedTuple

from workers.sandbox.inside import candidate, kernel, whole_program

#: SPAWN makes a candidate that is called, RUN one that reads the input that comes with the order. REAP ends a candidate
#: at once; BURY first lets one that closed its channel end by itself, to learn how it did.
SPAWN, RUN, REAP, BURY = b"s", b"i", b"r", b"b"
#: What SPAWN and RUN are followed by: CPU seconds, bytes of memory, bytes of output.
LIMITS = struct.Struct("<dqq")
#: pid; then, when reaped: wait status, CPU seconds, largest resident size in kB, whether it ended by itself.
SPAWNED, REAPED = struct.Struct("<i"), struct.Struct("<idq?")
_GRACE_SECONDS = 0.2
_OPEN_FILES = 64


class SpawnLimits(NamedTuple):
    """What one candidate is held to."""

    cpu_seconds: float
    memory_bytes: int
    output_bytes: int


@dataclass(frozen=True)
class Confinement:
    """What every candidate of a zygote is held to."""

    answer_bytes: int
    seccomp: kernel.SeccompFilter | None
    threads: int
    keep_descriptor: int | None


def serve(orders: _socket.socket, confinement: Confinement) -> int:
    """Spawn and reap candidates as the judging process at the other end of `orders` asks, until it is gone.

    Returns how many were spawned.
    """
    pid = spawned = 0
    while True:
        order, ancillary, _, _ = orders.recvmsg(64, _socket.CMSG_SPACE(4))
        if not order:
            break
        kind = order[:1]
        if kind in (SPAWN, RUN):
            given = _descriptor(ancillary) if kind == RUN else None
            pid = _spawn(orders, confinement, SpawnLimits(*LIMITS.unpack(order[1:])), given)
            spawned += 1
        else:
            orders.sendall(_reap(pid, _ends_itself(pid) if kind == BURY else False))
            pid = 0
    if pid:
        _reap(pid, False)
    return spawned


def _descriptor(ancillary: list[tuple[int, int, bytes]]) -> int:
    descriptors = array.array("i")
    descriptors.frombytes(ancillary[0][2])
    return descriptors[0]


def _spawn(orders: _socket.socket, confinement: Confinement, limits: SpawnLimits, given: int | None) -> int:
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    output = os.memfd_create("output", os.MFD_CLOEXEC)
    errors = output if given is None else os.memfd_create("errors", os.MFD_CLOEXEC)
    parent = os.getpid()
    pid = kernel.bare_fork()
    if not pid:
        try:
            _become_candidate((given, output, errors, theirs.fileno()), parent, confinement, limits)
        finally:
            os._exit(70)
    theirs.close()
    handed = [ours.fileno(), output] if given is None else [ours.fileno(), output, errors]
    descriptors = array.array("i", handed)
    orders.sendmsg([SPAWNED.pack(pid)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
    ours.close()
    os.close(output)
    if given is not None:
        os.close(errors)
        os.close(given)
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


def _limit(confinement: Confinement, limits: SpawnLimits) -> None:
    cpu_seconds = int(limits.cpu_seconds) + 2
    for kind, value in (
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_NPROC, confinement.threads),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _become_candidate(
    descriptors: tuple[int | None, int, int, int], parent: int, confinement: Confinement, limits: SpawnLimits
) -> None:
    given, output, errors, channel = descriptors
    kernel.die_with(parent)
    if confinement.seccomp is None:
        os.setpgid(0, 0)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    if given is not None:
        os.dup2(given, 0)
    os.dup2(channel, candidate.CHANNEL)
    _close_others(confinement.keep_descriptor)
    _limit(confinement, limits)
    if confinement.seccomp is not None:
        confinement.seccomp.install()
    _start_afresh()
    if given is None:
        candidate.serve(confinement.answer_bytes)
    else:
        whole_program.run(confinement.answer_bytes)


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
