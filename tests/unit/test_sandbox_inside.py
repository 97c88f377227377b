"""The sandbox's parts that need no processes: what crosses the border, and the system-call filter."""

from __future__ import annotations

import os
import pickle
import platform
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.sandbox.inside import frames
from workers.sandbox.inside.plain_data import NotPlain, decode, encode

_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.floats(allow_nan=False)
)
PLAIN = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers() | st.text(max_size=3), inner, max_size=3)
        | st.sets(st.integers(), max_size=3)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_data_crosses_unchanged(value: Any) -> None:
    assert decode(encode(value)) == value


def test_collections_and_numbers_keep_their_kind() -> None:
    values = [
        Counter("aab"),
        OrderedDict(a=1),
        deque([1]),
        defaultdict(list, a=[1]),
        Decimal("1.5"),
        Fraction(1, 3),
        range(3),
    ]
    assert decode(encode(values)) == values
    assert [type(value) for value in decode(encode(values))] == [type(value) for value in values]


def test_subclasses_become_their_base_and_iterators_lists_iterators() -> None:
    class Lie(int):
        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    assert type(decode(encode(Lie(3)))) is int
    assert list(decode(encode(n * n for n in range(3)))) == [0, 1, 4]
    assert decode(encode({1: 2}.keys())) == [1]


class Behaves:
    """An object with behaviour of its own."""


@pytest.mark.parametrize("value", [lambda: 1, Behaves(), Behaves, os.system, print, [Behaves()], os])
def test_behaviour_does_not_cross(value: Any) -> None:
    with pytest.raises(NotPlain):
        encode(value)


class Runs:
    """Pickles as a call of something dangerous."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "call", [(os.system, ("true",)), (eval, ("1",)), (getattr, (int, "x")), (exec, ("",)), (open, ("x",))]
)
def test_the_decoder_calls_nothing_it_does_not_know(call: Any) -> None:
    with pytest.raises(NotPlain):
        decode(pickle.dumps(Runs(call)))


def _shared(levels: int) -> bytes:
    value: list[Any] = [0]
    for _ in range(levels):
        value = [value, value]
    return pickle.dumps(value)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"garbage", b"\x80\x05", _shared(30), _shared(64), b"\x80\x04)" + b"\x85" * 5000 + b".",
        b"\x80\x04K\x01r\xff\xff\xff\x7f.", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", b"cos\nsystem\n.", b"Pid\n.",
        b"\x80\x04\x82\x01.", b"\x80\x04\x8c\x08builtins\x8c\x0bint.__add__\x93.",
    ],
)  # fmt: skip
def test_hostile_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(NotPlain):
        decode(data)


def test_frames_survive_being_cut_anywhere() -> None:
    ours, theirs = os.pipe()
    message = frames.pack(7, b"hello") + frames.pack(8, b"") + frames.pack(9, b"x" * 50_000)
    with os.fdopen(theirs, "wb", buffering=0) as out, os.fdopen(ours, "rb", buffering=0):
        reader = frames.Reader(ours, 60_000)
        out.write(message[:3])
        out.write(message[3:])
        assert [reader.read() for _ in range(3)] == [(7, b"hello"), (8, b""), (9, b"x" * 50_000)]
        out.write(frames.pack(1, b"")[:0] + struct.pack("<IB", 60_001, 1))
        with pytest.raises(frames.FrameTooLong):
            reader.read()


def _run_filter(program: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = 0xC000003E) -> int:
    """A tiny interpreter of classic BPF: the filter's verdict on one call."""
    data = struct.pack("=iIQ6Q", number, arch, 0, *(arguments + (0,) * 6)[:6])
    code = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at, accumulator = 0, 0
    while True:
        operation, yes, no, constant = code[at]
        at += 1
        if operation == 0x06:
            return int(constant)
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, constant)
        else:
            hit = {0x15: accumulator == constant, 0x35: accumulator >= constant, 0x45: bool(accumulator & constant)}
            at += yes if hit[operation] else no


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86_64")
def test_the_filter_says_of_every_number_what_the_list_says() -> None:
    from workers.sandbox.inside.seccomp_filter import filter_program
    from workers.sandbox.inside.syscalls import ALLOWED, CHECKED, HOSTILE, numbers

    program, kill, allow, denied = filter_program(), 0x80000000, 0x7FFF0000, 0x00050001
    allowed, hostile, checked = (set(numbers(table).values()) for table in (ALLOWED, HOSTILE, CHECKED))
    assert not allowed & hostile
    for number in range(600):
        verdict = _run_filter(program, number)
        if number in checked:
            continue
        expected = allow if number in allowed else kill if number in hostile else denied
        assert verdict == (0x00050026 if number == 435 else expected), number
    assert _run_filter(program, 0x40000000 + 1) == kill
    assert _run_filter(program, 1, arch=0x40000003) == kill


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86_64")
@pytest.mark.parametrize(
    ("number", "arguments", "allowed"),
    [
        (56, (0x3D0F00,), True), (56, (17,), False), (56, (0x3D0F00 | 0x10000000,), False), (157, (15,), True),
        (157, (1,), False), (157, (4,), False), (53, (1,), True), (53, (2,), False), (302, (0,), True),
        (302, (77,), False), (16, (0, 0x5413), True), (16, (0, 0x5412), False), (72, (3, 1), True), (72, (3, 8), False),
    ],
)  # fmt: skip
def test_arguments_decide(number: int, arguments: tuple[int, ...], allowed: bool) -> None:
    from workers.sandbox.inside.seccomp_filter import filter_program

    assert (_run_filter(filter_program(), number, arguments) == 0x7FFF0000) == allowed
