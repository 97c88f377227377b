"""Take from this process what a query never needs: files, network, new privileges, memory and time without end.

Limits are always set. Namespaces and Landlock are added where the kernel has them; each alone would be enough against
what the parse gate is known to miss, and none is relied on alone.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Sequence
from pathlib import Path

_NO_NEW_PRIVS = 38
_NEW_USER, _NEW_NET, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
#: Highest file right that each Landlock version knows, from version 1 on.
_FILE_RIGHTS = (13, 14, 15, 15, 16)
_OPEN_FILES = 1024


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64)]


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def limit(address_space: int, cpu_seconds: int) -> None:
    """Bytes of address space and seconds of CPU; no file may grow, no core is dumped."""
    for kind, most in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (wanted, wanted))


def leave_network() -> None:
    """Give up new privileges and, where the kernel lets an ordinary user, the network. Before any thread exists."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.unshare(_NEW_USER | _NEW_NET | _NEW_IPC)


def read_only(readable: Sequence[Path]) -> bool:
    """Let this thread and those it starts read only these files and folders; False where the kernel has no Landlock."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = (1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1
    rules = _Ruleset(rights, 0b11 if version >= 4 else 0)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules) if version >= 4 else 8, 0)
    if ruleset < 0:
        return False
    for path in readable:
        _allow(libc, ruleset, path)
    restricted = libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return bool(restricted)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathRule(_READ_FILE | (_READ_DIR if path.is_dir() else 0), descriptor)
        if libc.syscall(_ADD_RULE, ruleset, 1, ctypes.byref(rule), 0) != 0:
            raise OSError(ctypes.get_errno(), "Landlock refuses the rule", str(path))
    finally:
        os.close(descriptor)
