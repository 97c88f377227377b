"""Readers of benchmark files: one line, one problem; a bad line is named by file and number."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
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


@contextmanager
def _open_lines(path: Path) -> Iterator[Iterable[bytes]]:
    if not path.is_file():
        raise BadFile(f"{path}: no such file.")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadFile(f"{path}: not a whole gzip file ({error}).") from error
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror}).") from error


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, object) for every line that is not blank; place is `file:line` for messages.

    The file is UTF-8, `.gz` or plain.
    """
    with _open_lines(path) as stream:
        # Decoded line by line: a text stream decodes ahead and would blame a bad byte on an earlier line.
        for number, raw in enumerate(stream, start=1):
            place = f"{path}:{number}"
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise BadFile(f"{place}: not UTF-8 text ({error.reason}).") from error
            if line.strip():
                yield place, _parsed(line, place)


def _parsed(line: str, place: str) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_refused_constant)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{place}: not JSON: {error}. Each line must be one JSON object.") from error
    if not isinstance(value, dict):
        raise BadFile(f"{place}: a JSON object is wanted, found {type(value).__name__}.")
    return value


def _refused_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


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


def _rest(record: Mapping[str, Any], taken: set[str], place: str) -> dict[str, Any]:
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
        metadata=_rest(record, taken, place),
    )


def _from_humaneval(record: dict[str, Any], place: str, _position: int) -> ProblemRecord:
    taken = {"task_id", "prompt", "canonical_solution", "test", "entry_point"}
    return ProblemRecord(
        key=text_field(record, ("task_id",), place),
        prompt=text_field(record, ("prompt",), place),
        reference_answer=optional_text(record, ("canonical_solution",), place),
        tests=text_field(record, ("test",), place),
        entry_point=text_field(record, ("entry_point",), place),
        metadata=_rest(record, taken, place),
    )


def _from_gsm8k(record: dict[str, Any], place: str, position: int) -> ProblemRecord:
    answer = text_field(record, ("answer",), place)
    if not answer.partition("####")[2].strip():
        raise BadFile(f'{place}: field "answer" has no final answer after "####", as GSM8K answers have.')
    return ProblemRecord(
        key=f"gsm8k/{position}",
        prompt=text_field(record, ("question",), place),
        reference_answer=answer,
        metadata=_rest(record, {"question", "answer"}, place),
    )


FORMATS: dict[str, Callable[[dict[str, Any], str, int], ProblemRecord]] = {
    "jsonl": _from_jsonl,
    "humaneval": _from_humaneval,
    "gsm8k": _from_gsm8k,
}


def read_problems(path: Path, format_name: str) -> list[ProblemRecord]:
    """Every problem of a file, in order. Raises `BadFile` for a bad line, a repeated id, or no problem at all."""
    problems: list[ProblemRecord] = []
    places: dict[str, str] = {}
    for place, record in json_lines(path):
        problem = FORMATS[format_name](record, place, len(problems))
        if problem.key in places:
            raise BadFile(f'{place}: id "{problem.key}" is there already, at {places[problem.key]}.')
        places[problem.key] = place
        problems.append(problem)
    if not problems:
        raise BadFile(f"{path}: holds no problem. Each line must be one problem in format {format_name}.")
    return problems
