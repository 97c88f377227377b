"""Fields of foreign records, each checked for its kind; a wrong one is named by place and field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from store.benchmark_formats import BadFile

#: What an integer column holds.
LARGEST_COUNT = 2**31 - 1

Record = Mapping[str, Any]


def missing(name: str, place: str) -> BadFile:
    return BadFile(f'{place}: field "{name}" is missing.')


def wrong(name: str, place: str, wanted: str) -> BadFile:
    return BadFile(f'{place}: field "{name}" must be {wanted}.')


def first_of(record: Record, names: Sequence[str], place: str) -> str:
    """The first of the names that the record has."""
    for name in names:
        if record.get(name) is not None:
            return name
    raise missing(names[0], place)


def text(record: Record, name: str, place: str) -> str:
    """A text, which may be empty."""
    if name not in record:
        raise missing(name, place)
    value = record[name]
    if not isinstance(value, str):
        raise wrong(name, place, "text")
    return value


def maybe_text(record: Record, name: str, place: str) -> str | None:
    """A text; None where the field is absent or null."""
    return None if record.get(name) is None else text(record, name, place)


def key(record: Record, name: str, place: str) -> str:
    """A name of a problem: text that is not empty, or a whole number."""
    value = record.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise missing(name, place) if name not in record else wrong(name, place, "text that is not empty")
    return value


def texts(record: Record, name: str, place: str) -> list[str]:
    """A list of texts."""
    value = record.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise wrong(name, place, "a list of texts")
    return value


def maybe_texts(record: Record, name: str, place: str) -> list[str | None]:
    """A list of texts or nulls."""
    value = record.get(name)
    if not isinstance(value, list) or not all(item is None or isinstance(item, str) for item in value):
        raise missing(name, place) if name not in record else wrong(name, place, "a list of texts or nulls")
    return value


def booleans(record: Record, name: str, place: str) -> list[bool | None]:
    """A list of true and false; null stands for not judged."""
    value = record.get(name)
    if not isinstance(value, list) or not all(item is None or isinstance(item, bool) for item in value):
        raise wrong(name, place, "a list of true and false")
    return value


def boolean(record: Record, name: str, place: str) -> bool:
    """True or false."""
    if name not in record:
        raise missing(name, place)
    value = record[name]
    if not isinstance(value, bool):
        raise wrong(name, place, "true or false")
    return value


def count(record: Record, name: str, place: str) -> int | None:
    """A number of tokens or the like; None where the field is absent or null."""
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_COUNT:
        raise wrong(name, place, f"a whole number from 0 to {LARGEST_COUNT}")
    return value


def number(record: Record, name: str, place: str) -> float | None:
    """A number; None where the field is absent, null or NaN."""
    value = record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(name, place, "a number")
    return None if math.isnan(value) else float(value)


def table(record: Record, name: str, place: str) -> Record:
    """An object inside the record; empty where it is absent or null."""
    value = record.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, place, "an object")
    return value


def same_length(samples: Sequence[Any], others: Sequence[Any], names: tuple[str, str], place: str) -> None:
    """As many of one as of the other, or they belong together in no known way."""
    if len(samples) != len(others):
        raise BadFile(
            f'{place}: field "{names[1]}" has {len(others):,} entries for the {len(samples):,} of "{names[0]}": which '
            "belongs to which is not known, so none of them is taken."
        )
