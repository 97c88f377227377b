"""What may cross between tests and candidate: plain data, pickled, and decoded with a short list of known types.

A pickle can name any callable; this decoder knows only the ones below, so a hostile answer can build numbers, texts and
collections and nothing that runs code of its own (no `__eq__` that always agrees, no patched method).
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import io
import itertools
import pickle
from collections.abc import Callable, Iterator
from typing import Any

#: Elements taken from an iterator that a candidate returns; deeper or larger answers than these are refused.
MAX_ITERATED = 100_000
MAX_DEPTH = 200
MAX_NODES = 2_000_000
_SHORT = 256
#: Opcodes that use a value twice (GET, BINGET, LONG_BINGET, DUP): without them a short pickle is a small value.
_SHARING = (b"g", b"h", b"j", b"2")

_KNOWN: tuple[Callable[..., Any], ...] = (
    bool, int, float, complex, str, bytes, bytearray, tuple, list, set, frozenset, dict, range, slice, iter,
    collections.OrderedDict, collections.Counter, collections.deque, collections.defaultdict,
    decimal.Decimal, fractions.Fraction, datetime.date, datetime.datetime, datetime.time, datetime.timedelta,
    datetime.timezone,
)  # fmt: skip
_BY_NAME: dict[tuple[str, str], Any] = {(known.__module__, known.__qualname__): known for known in _KNOWN}
_KNOWN_TYPES = frozenset(known for known in _KNOWN if isinstance(known, type))
_BASES: tuple[type, ...] = (int, float, complex, str, bytes, bytearray, tuple, list, set, frozenset, dict)


class NotPlain(Exception):
    """This value is not plain data."""


class _Encoder(pickle.Pickler):
    """Pickles plain data; iterators become lists' iterators, subclasses of plain types and numpy's scalars plain."""

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind in _KNOWN_TYPES or value is iter:
            return NotImplemented
        if isinstance(value, type) or callable(value):
            if any(value is known for known in _KNOWN):
                return NotImplemented
            raise NotPlain(f"a {kind.__name__}")
        for base in _BASES:
            if isinstance(value, base):
                return base, (list(value.items()) if isinstance(value, dict) else base(value),)
        if kind.__module__ == "numpy" and callable(getattr(value, "item", None)) and not hasattr(value, "__len__"):
            plain = value.item()
            return type(plain), (plain,)
        if isinstance(value, Iterator):
            return iter, (list(itertools.islice(value, MAX_ITERATED)),)
        if kind.__name__ in ("dict_keys", "dict_values", "dict_items"):
            return list, (list(value),)
        raise NotPlain(f"a {kind.__name__}")


class _Decoder(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _BY_NAME[module, name]
        except KeyError:
            raise NotPlain(f"{module}.{name}"[:80]) from None

    def persistent_load(self, _identity: Any) -> Any:
        raise NotPlain("a persistent identity")


def encode(value: Any) -> bytes:
    """Pickle plain data. Raises NotPlain for anything else (functions, classes, objects with behaviour)."""
    buffer = io.BytesIO()
    try:
        _Encoder(buffer, 5).dump(value)
    except NotPlain:
        raise
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise NotPlain(str(error)[:200]) from None
    return buffer.getvalue()


def decode(data: bytes) -> Any:
    """The plain value of an untrusted pickle. Raises NotPlain for any other content, size or shape."""
    try:
        value = _Decoder(io.BytesIO(data)).load()
    except NotPlain:
        raise
    except MemoryError:
        raise NotPlain("too large") from None
    except Exception as error:
        raise NotPlain(f"no valid encoding: {type(error).__name__}") from None
    if len(data) > _SHORT or any(opcode in data for opcode in _SHARING):
        _check_shape(value)
    return value


def _check_shape(value: Any) -> None:
    """Refuse depths that overflow C stacks and shared structures that unfold without end (counted as unfolded)."""
    nodes = 0
    level = [value]
    for _depth in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.keys())
                below.extend(item.values())
            elif isinstance(item, (list, tuple, set, frozenset, collections.deque)):
                below.extend(item)
            if len(below) > MAX_NODES:
                raise NotPlain("too large")
        nodes += len(below)
        if nodes > MAX_NODES:
            raise NotPlain("too large")
        if not below:
            return
        level = below
    raise NotPlain("nested too deeply")
