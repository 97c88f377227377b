"""Problems as records describe them: the plain formats, and checks that every format shares."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from store.errors import PassatkError


class BadFile(PassatkError):
    """A file cannot be read as its format says."""


@dataclass(frozen=True)
class ProblemRecord:
    """One problem as a file describes it."""

    key: str
    prompt: str
    reference_answer: str | None = None
    tests: str | None = None
    entry_point: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def storable(text: str, place: str, name: str) -> str:
    """The text, unless PostgreSQL cannot hold it (NUL, lone surrogates)."""
    if "\0" in text:
        raise BadFile(f'{place}: field "{name}" holds a NUL character, which text columns cannot store.')
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadFile(f'{place}: field "{name}" holds half of a surrogate pair, which is not text.') from error
    return text


def text_field(record: Mapping[str, Any], names: tuple[str, ...], place: str) -> str:
    """The first of the named fields, which must be there and be text that is not empty."""
    for name in names:
        if name in record:
            value = record[name]
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if not isinstance(value, str) or not value:
                raise BadFile(f'{place}: field "{name}" must be text that is not empty.')
            return storable(value, place, name)
    raise BadFile(f'{place}: field "{names[0]}" is missing.')


def optional_text(record: Mapping[str, Any], names: tuple[str, ...], place: str) -> str | None:
    """As `text_field`, or None where none of the fields is there or it is null."""
    present = tuple(name for name in names if record.get(name) is not None)
    return text_field(record, present, place) if present else None


def rest_of(record: Mapping[str, Any], taken: set[str], place: str) -> dict[str, Any]:
    """What a record says beside the fields that are taken, as it can be stored."""
    rest = {name: value for name, value in record.items() if name not in taken and name != "metadata"}
    given = record.get("metadata", {})
    if not isinstance(given, dict):
        raise BadFile(f'{place}: field "metadata" must be a JSON object.')
    merged = rest | given
    try:
        text = json.dumps(merged, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise BadFile(f'{place}: field "metadata" cannot be stored as JSON: {error}.') from error
    storable(_ESCAPED_NUL.sub("\0", text), place, "metadata")
    return merged


#: A NUL as JSON writes it; behind an odd number of further backslashes it is only those letters.
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


_JSONL_ID = ("id", "task_id", "key")
_JSONL_PROMPT = ("prompt", "question")
_JSONL_ANSWER = ("answer", "reference_answer")
_JSONL_TESTS = ("tests", "test")


def _from_jsonl(record: dict[str, Any], place: str, _position: int) -> ProblemRecord:
    taken = {*_JSONL_ID, *_JSONL_PROMPT, *_JSONL_ANSWER, *_JSONL_TESTS, "entry_point"}
    return ProblemRecord(
        key=text_field(record, _JSONL_ID, place),
        prompt=text_field(record, _JSONL_PROMPT, place),
        reference_answer=optional_text(record, _JSONL_ANSWER, place),
        tests=optional_text(record, _JSONL_TESTS, place),
        entry_point=optional_text(record, ("entry_point",), place),
        metadata=rest_of(record, taken, place),
    )


def _from_humaneval(record: dict[str, Any], place: str, _position: int) -> ProblemRecord:
    taken = {"task_id", "prompt", "canonical_solution", "test", "entry_point"}
    return ProblemRecord(
        key=text_field(record, ("task_id",), place),
        prompt=text_field(record, ("prompt",), place),
        reference_answer=optional_text(record, ("canonical_solution",), place),
        tests=text_field(record, ("test",), place),
        entry_point=text_field(record, ("entry_point",), place),
        metadata=rest_of(record, taken, place),
    )


def _from_gsm8k(record: dict[str, Any], place: str, position: int) -> ProblemRecord:
    answer = text_field(record, ("answer",), place)
    if not answer.partition("####")[2].strip():
        raise BadFile(f'{place}: field "answer" has no final answer after "####", as GSM8K answers have.')
    return ProblemRecord(
        key=f"gsm8k/{position}",
        prompt=text_field(record, ("question",), place),
        reference_answer=answer,
        metadata=rest_of(record, {"question", "answer"}, place),
    )


FORMATS: dict[str, Callable[[dict[str, Any], str, int], ProblemRecord]] = {
    "jsonl": _from_jsonl,
    "humaneval": _from_humaneval,
    "gsm8k": _from_gsm8k,
}
