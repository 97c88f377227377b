"""The fork server: a small, warm, unprivileged interpreter from which every batch is forked.

It reads one byte per batch and never sees tests or programs, so nothing forked from it carries any.
"""

from __future__ import annotations

import _socket
import contextlib
import fcntl
import gc
import importlib
import os
import resource
import select
import signal
import site
import struct
import sys
from dataclasses import dataclass
from importlib import machinery
from typing import Any

from workers.sandbox.inside import batch_root, judging, kernel
from workers.sandbox.inside.seccomp_filter import filter_program

READY, BATCH = b"R", b"B"
#: A finished batch, with the CPU seconds spent since the start by this process and all that ran below it.
DONE = struct.Struct("<d")
_DEVICES = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"]
_JUDGE_MEMORY = 2 << 30
_HIGH = 32
#: Programs that may share one set of namespaces, one after the other.
_PROGRAMS = 64


@dataclass(frozen=True)
class Config:
    """How this zygote confines: descriptors to its worker, who to become, which walls exist in this tier."""

    control: int
    data: int
    worker: int
    uid: int | None
    landlock: bool
    seccomp: bool
    namespaces: bool
    preload: list[str]
    library: list[str]
    answer_bytes: int
    threads: int
    packages: dict[str, str]


class Packages:
    """Finds installed packages in their folders, and nothing else that lies beside them."""

    def __init__(self, folders: dict[str, str]) -> None:
        self._folders = folders

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        """The package's spec; None for every other name."""
        if name not in self._folders:
            return None
        folder = self._folders[name]
        file = folder + "/__init__.py"
        spec = machinery.ModuleSpec(name, machinery.SourceFileLoader(name, file), origin=file, is_package=True)
        spec.has_location = True
        spec.submodule_search_locations = [folder]
        return spec


def main(settings: dict[str, Any]) -> None:
    """Serve batches until the worker closes the control descriptor or ends."""
    config = Config(**settings)
    os.chdir("/")
    for name in config.preload:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    library: list[int | str] = list(config.library)
    keep = _drop_privileges(config, library)
    # An unprivileged user may not see what root installed for itself: then programs do without.
    seen = {name: folder for name, folder in config.packages.items() if os.access(folder, os.R_OK | os.X_OK)}
    library += seen.values()
    sys.meta_path.append(Packages(seen))
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # `exit` and `quit`, which programs use and -S leaves out.
    site.setquit()
    seccomp = kernel.SeccompFilter(filter_program()) if config.seccomp else None
    confinement = batch_root.Confinement(
        config.answer_bytes, seccomp, config.threads, keep,
    )  # fmt: skip
    gc.collect()
    gc.disable()
    gc.freeze()
    # Whatever tests print from here on is nobody's concern, and a full pipe would block them.
    os.dup2(0, 2)
    os.write(config.control, READY)
    _serve(config, confinement, library)


def _drop_privileges(config: Config, library: list[int | str]) -> int | None:
    """Become the unprivileged user. Where it may not reach the standard library by path, keep a descriptor to it."""
    if config.uid is None:
        return None
    descriptor = os.open(os.path.dirname(os.__file__), os.O_PATH | os.O_DIRECTORY)
    os.setgroups([])
    os.setresgid(config.uid, config.uid, config.uid)
    os.setresuid(config.uid, config.uid, config.uid)
    if os.getuid() == 0 or os.geteuid() == 0:
        raise PermissionError("still root")
    if os.access(os.__file__, os.R_OK):
        os.close(descriptor)
        return None
    # High, out of the way of a candidate's own, and free: a worker with many files open hands over high ones too.
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD, _HIGH)
    os.close(descriptor)
    _look_through(high)
    library.append(high)
    return high


def _look_through(descriptor: int) -> None:
    """Import through `/proc/self/fd`, which leads to an open directory whatever the rights on the way to it."""
    old, new = os.path.dirname(os.__file__), f"/proc/self/fd/{descriptor}"
    sys.path[:] = [new + path[len(old) :] for path in sys.path if path.startswith(old)]
    sys.path_importer_cache.clear()
    for module in list(sys.modules.values()):
        paths = getattr(module, "__path__", None)
        if isinstance(paths, list):
            paths[:] = [new + path[len(old) :] if path.startswith(old) else path for path in paths]


def _serve(config: Config, confinement: batch_root.Confinement, library: list[int | str]) -> None:
    waiting = select.poll()
    waiting.register(config.control, select.POLLIN)
    waiting.register(config.worker, select.POLLIN)
    while True:
        ready = dict(waiting.poll())
        if config.worker in ready:
            return
        if os.read(config.control, 1) != BATCH:
            return
        if not _run_batch(config, confinement, library):
            return
        os.write(config.control, DONE.pack(_cpu_seconds()))


def _cpu_seconds() -> float:
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _run_batch(config: Config, confinement: batch_root.Confinement, library: list[int | str]) -> bool:
    """Run one batch to its end; False where the worker went away meanwhile."""
    me = os.getpid()
    pid = os.fork()
    if not pid:
        try:
            kernel.die_with(me)
            _become_batch(config, confinement, library)
        finally:
            os._exit(71)
    handle = os.pidfd_open(pid)
    waiting = select.poll()
    for descriptor in (handle, config.control, config.worker):
        waiting.register(descriptor, select.POLLIN)
    ready = dict(waiting.poll())
    if handle not in ready:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(handle)
    return handle in ready


def _become_batch(config: Config, confinement: batch_root.Confinement, library: list[int | str]) -> None:
    if config.namespaces:
        kernel.unshare(kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC)
        me = os.getpid()
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            os._exit(0)
        # The parent lives outside the new process namespace and shows there as process 0.
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        del me
        kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=64m,nr_inodes=4096,mode=0700")
        os.chdir("/tmp")
        kernel.drop_capabilities()
    if config.landlock:
        kernel.restrict_files(library, _DEVICES, ["/tmp"] if config.namespaces else [])
    os.close(config.control)
    os.close(config.worker)
    left = _PROGRAMS
    while left > 0:
        left -= _serve_request(config, confinement, left)
    os._exit(0)


def _serve_request(config: Config, confinement: batch_root.Confinement, left: int) -> int:
    """Fork a judging process, which takes the next request from the worker, and serve it; programs spawned for it.

    Each request has a judging process of its own; `left` or more where this batch root must not serve another.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    me = os.getpid()
    judge = os.fork()
    if not judge:
        stay = False
        try:
            ours.close()
            judging.become_judge(me)
            resource.setrlimit(resource.RLIMIT_AS, (_JUDGE_MEMORY, _JUDGE_MEMORY))
            stay = judging.serve(config.data, theirs, config.namespaces, left)
        finally:
            os._exit(0 if stay else 1)
    theirs.close()
    spawned = batch_root.serve(ours, confinement)
    ours.close()
    _, status = os.waitpid(judge, 0)
    return spawned if status == 0 else left
