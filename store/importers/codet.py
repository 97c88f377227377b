"""CodeT: JSON lines of `{"prompt", "samples": [text]}`, with a `task_id` where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from store.benchmark_formats import BadFile, optional_text
from store.importers import fields
from store.importers.records import About, ImportedGroup, ImportedSample, Item, ProblemName, Source
from store.importers.sources import each, lines


def describe(source: Source) -> About:
    return About("codet")


def read(source: Source) -> Iterator[Item]:
    return each(lines(source.path), _group)


def _group(record: dict[str, Any], place: str) -> ImportedGroup:
    completions = fields.texts(record, "samples", place)
    key = optional_text(record, ("task_id", "id"), place)
    prompt = optional_text(record, ("prompt",), place)
    if key is None and prompt is None:
        raise BadFile(f'{place}: neither "task_id" nor "prompt" says which problem these samples are for.')
    name = ProblemName(keys=[key] if key else [], texts=[prompt] if prompt and not key else [])
    return ImportedGroup(place, name, [ImportedSample(text, field="samples") for text in completions])
