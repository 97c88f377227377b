"""The system-call filter as a classic BPF program: a binary search over the call's number, then its verdict."""

from __future__ import annotations

import errno
import struct

from workers.sandbox.inside.syscalls import ALLOWED, AUDIT_ARCH, CHECKED, CLONE3, HOSTILE, MACHINE, numbers

_KILL = 0x80000000
_ERRNO = 0x00050000
_ALLOW = 0x7FFF0000
_DENY = _ERRNO | errno.EPERM

_LOAD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020080
_AF_UNIX = 1
#: names of threads (15, 16) and of memory areas (PR_SET_VMA, which libc sets); asking for dumpability harms nobody.
_PRCTL = (15, 16, 3, 0x53564D41)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
#: F_SETOWN, F_SETSIG, F_SETOWN_EX send signals to others; F_ADD_SEALS and F_NOTIFY are nobody's business.
_FCNTL_DENIED = (8, 10, 15, 1033, 1026)

Instruction = tuple[int, int, int, int]


def _returns(value: int) -> list[Instruction]:
    return [(_RET, 0, 0, value)]


def _one_of(argument: int, values: tuple[int, ...], inside: int, outside: int) -> list[Instruction]:
    """Return `inside` where the argument's low word is one of `values`, else `outside`."""
    tests = [(_JEQ, len(values) - at, 0, value) for at, value in enumerate(values)]
    return [(_LOAD, 0, 0, argument), *tests, (_RET, 0, 0, outside), (_RET, 0, 0, inside)]


def _thread_only() -> list[Instruction]:
    """Threads share their maker's fate; a fork or a new namespace does not."""
    return [
        (_LOAD, 0, 0, _ARG0),
        (_JSET, 2, 0, _CLONE_NAMESPACES),
        (_JSET, 0, 1, _CLONE_THREAD),
        (_RET, 0, 0, _ALLOW),
        (_RET, 0, 0, _DENY),
    ]


_CONDITIONS: dict[str, list[Instruction]] = {
    "clone": _thread_only(),
    "prctl": _one_of(_ARG0, _PRCTL, _ALLOW, _DENY),
    "socketpair": _one_of(_ARG0, (_AF_UNIX,), _ALLOW, _DENY),
    "prlimit64": _one_of(_ARG0, (0,), _ALLOW, _DENY),
    "ioctl": _one_of(_ARG1, (_TIOCSTI, _TIOCLINUX), _DENY, _ALLOW),
    "fcntl": _one_of(_ARG1, _FCNTL_DENIED, _DENY, _ALLOW),
}


def _leaves() -> list[tuple[int, list[Instruction]]]:
    """(first number, verdict) of each stretch of call numbers that share one, ascending from 0."""
    verdicts: dict[int, list[Instruction]] = {number: _returns(_ALLOW) for number in numbers(ALLOWED).values()}
    verdicts |= {number: _returns(_KILL) for number in numbers(HOSTILE).values()}
    verdicts |= {number: _CONDITIONS[name] for name, number in numbers(CHECKED).items()}
    verdicts[CLONE3] = _returns(_ERRNO | errno.ENOSYS)
    leaves: list[tuple[int, list[Instruction]]] = []
    for number in range(max(verdicts) + 2):
        verdict = verdicts.get(number, _returns(_DENY))
        if not leaves or leaves[-1][1] != verdict:
            leaves.append((number, verdict))
    return leaves


def _search(leaves: list[tuple[int, list[Instruction]]]) -> list[Instruction]:
    if len(leaves) == 1:
        return leaves[0][1]
    middle = len(leaves) // 2
    low, high = _search(leaves[:middle]), _search(leaves[middle:])
    if len(low) > 255:
        raise ValueError("the filter's branches are too long for a conditional jump")
    return [(_JGE, len(low), 0, leaves[middle][0]), *low, *high]


def filter_program() -> bytes:
    """The packed `struct sock_filter` array for this machine. A foreign calling convention (x32, i386) kills."""
    head: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, AUDIT_ARCH[MACHINE]),
        (_RET, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JGE, 0, 1, 0x40000000),
        (_RET, 0, 0, _KILL),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in head + _search(_leaves()))
