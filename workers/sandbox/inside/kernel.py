"""The kernel's doors that Python's `os` lacks, by ctypes: Landlock, seccomp, mounts, namespaces, capabilities."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
# Calls through this one keep the interpreter lock.
_gil_libc = ctypes.PyDLL(None)

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x08000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE = 16384, 1 << 18

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
_ALL_FILES_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_TRUNCATE = 1 << 14


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, *arguments: int) -> None:
    """prctl(2) with integer arguments. Raises OSError."""
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    _checked(_libc.prctl(option, *padded), f"prctl({option})")


def die_with(parent: int) -> None:
    """SIGKILL this process when its parent ends; leave at once where that happened already."""
    _libc.prctl(PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


class SeccompFilter:
    """A filter laid out once and installed in each candidate after its fork (installing cannot be undone)."""

    def __init__(self, program: bytes) -> None:
        self._program = _FilterProgram(len(program) // 8, program)
        self._pointer = ctypes.byref(self._program)

    def install(self) -> None:
        """Filter this process and all it may start. Needs no_new_privs. Raises OSError."""
        _checked(_libc.prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._pointer, 0, 0), "seccomp")


def landlock_abi() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def restrict_files(readable: list[int | str], devices: list[str], writable: list[str]) -> None:
    """Landlock this process: read below `readable`, read and write `devices`, everything below `writable`, no TCP.

    Signals and abstract sockets stay inside where the kernel knows how (ABI 6). Raises OSError without Landlock.
    """
    abi = landlock_abi()
    if abi < 1:
        raise OSError("this kernel has no Landlock")
    everything = _ALL_FILES_BY_ABI[min(abi, 5)]
    network, scoped = (3 if abi >= 4 else 0), (3 if abi >= 6 else 0)
    attributes = struct.pack("=QQQ", everything, network, scoped)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    rules = _checked(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0), "landlock")
    device_rights = (READ_FILE | _WRITE_FILE | _TRUNCATE) & everything
    for paths, rights in ((readable, READ_FILE | READ_DIR), (devices, device_rights), (writable, everything)):
        for path in paths:
            _allow_below(rules, path, rights)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    _checked(_libc.syscall(_RESTRICT_SELF, rules, 0), "landlock")
    os.close(rules)


def _allow_below(rules: int, path: int | str, rights: int) -> None:
    with contextlib.ExitStack() as stack:
        if isinstance(path, str):
            if not os.path.exists(path):
                return
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
        else:
            descriptor = path
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(_libc.syscall(_ADD_RULE, rules, 1, rule, 0), f"landlock rule for {path}")


def bare_fork() -> int:
    """fork(2) of this single-threaded process without the interpreter's after-fork hooks.

    The hooks touch, and so copy, pages by the dozen; they rebuild locks and threads that a process with one thread
    does not have, and seed `random`, which the candidate does anyway.
    """
    return _checked(_gil_libc.fork(), "fork")


def unshare(flags: int) -> None:
    """unshare(2). Raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """mount(2). Raises OSError."""
    texts = [None if text is None else text.encode() for text in (source, target, kind, options)]
    _checked(_libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]), f"mount {target}")


def drop_capabilities() -> None:
    """Give up every capability for good. Raises OSError."""
    header, data = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    _checked(_libc.capset(header, data), "capset")


def process_clock(pid: int) -> int:
    """The clock of another process's CPU time, for `time.clock_gettime` (the kernel's CPUCLOCK_SCHED)."""
    return (~pid << 3) | 2
