"""Readers of sample files that other tools wrote, and the cutting of completions at stop words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile, json_lines, optional_text, storable, text_field

#: What an integer column holds.
_LARGEST_COUNT = 2**31 - 1


@dataclass(frozen=True)
class ImportedSample:
    """One completion for one problem, with what the file says of it; unknown counts are None."""

    completion: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None


@dataclass(frozen=True)
class ImportedGroup:
    """Completions of one problem, found at `place`; the problem is named by its key or by its prompt."""

    place: str
    key: str | None
    prompt: str | None
    samples: Sequence[ImportedSample]


def cut_at_stop_words(text: str, stop_words: Sequence[str]) -> str:
    """The text before the earliest of the stop words."""
    ends = [end for end in (text.find(word) for word in stop_words) if end >= 0]
    return text[: min(ends)] if ends else text


def _codet(record: Mapping[str, Any], place: str) -> ImportedGroup:
    completions = record.get("samples")
    if not isinstance(completions, list) or not all(isinstance(text, str) for text in completions):
        raise BadFile(f'{place}: field "samples" must be a list of texts.')
    key = optional_text(record, ("task_id", "id"), place)
    prompt = optional_text(record, ("prompt",), place)
    if key is None and prompt is None:
        raise BadFile(f'{place}: neither "task_id" nor "prompt" says which problem these samples are for.')
    samples = [ImportedSample(storable(text, place, "samples")) for text in completions]
    return ImportedGroup(place, key, prompt, samples)


def _count(record: Mapping[str, Any], name: str, place: str) -> int | None:
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST_COUNT:
        raise BadFile(f'{place}: field "{name}" must be a whole number from 0 to {_LARGEST_COUNT}.')
    return value


def _jsonl(record: Mapping[str, Any], place: str) -> ImportedGroup:
    completion = record.get("completion")
    if not isinstance(completion, str):
        raise BadFile(f'{place}: field "completion" must be text.')
    sample = ImportedSample(
        storable(completion, place, "completion"),
        prompt_tokens=_count(record, "prompt_tokens", place),
        completion_tokens=_count(record, "completion_tokens", place),
        finish_reason=optional_text(record, ("finish_reason",), place),
    )
    return ImportedGroup(place, text_field(record, ("task_id", "problem", "id"), place), None, [sample])


FORMATS: dict[str, Callable[[Mapping[str, Any], str], ImportedGroup]] = {"codet": _codet, "jsonl": _jsonl}


def read_samples(path: Path, format_name: str) -> Iterator[ImportedGroup]:
    """Yield the groups of a file in order, one line at a time. Raises `BadFile` naming file, line and field."""
    for place, record in json_lines(path):
        yield FORMATS[format_name](record, place)
