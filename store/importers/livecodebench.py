"""LiveCodeBench: a list of problems with `output_list` and `code_list`; `_eval_all.json` adds `graded_list`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from store.benchmark_formats import ProblemRecord
from store.importers import fields
from store.importers.records import (
    About,
    ImportedGroup,
    ImportedSample,
    ImportedVerdict,
    Item,
    ProblemName,
    Source,
    judged,
)
from store.importers.sources import each, records

_KEPT = ("question_title", "platform", "contest_id", "contest_date", "starter_code", "difficulty")
#: Its error codes in the store's words; any other is a wrong answer.
_REASONS = {-1: "compile_error", -2: "wrong_answer", -3: "wall_time", -4: "exception"}


def looks_like(record: Mapping[str, Any]) -> bool:
    return "question_id" in record and ("output_list" in record or "code_list" in record)


def describe(source: Source) -> About:
    return About("livecodebench", benchmark="livecodebench", benchmark_format="livecodebench")


def read(source: Source) -> Iterator[Item]:
    return each(records(source.path), _group)


def _group(record: dict[str, Any], place: str) -> ImportedGroup:
    field = fields.first_of(record, ("output_list", "code_list"), place)
    texts = fields.texts(record, field, place)
    verdicts = _verdicts(record, texts, field, place)
    samples = [ImportedSample(text, verdicts=one, field=field) for text, one in zip(texts, verdicts, strict=True)]
    key = fields.key(record, "question_id", place)
    question = fields.maybe_text(record, "question_content", place)
    metadata = {name: record[name] for name in _KEPT if record.get(name) is not None}
    made = ProblemRecord(key, question, metadata=metadata) if question else None
    return ImportedGroup(place, ProblemName(keys=[key]), samples, made)


def _verdicts(record: dict[str, Any], texts: list[str], field: str, place: str) -> list[list[ImportedVerdict]]:
    if record.get("graded_list") is None:
        return [[] for _ in texts]
    grades = fields.booleans(record, "graded_list", place)
    fields.same_length(texts, grades, (field, "graded_list"), place)
    said = record.get("metadata")
    notes = said if isinstance(said, list) and len(said) == len(texts) else [None] * len(texts)
    return [
        [] if right is None else [judged(right, reason=_reason(_note(note)), detail=_note(note) or None)]
        for right, note in zip(grades, notes, strict=True)
    ]


def _note(note: Any) -> dict[str, Any]:
    if isinstance(note, str):
        try:
            note = json.loads(note)
        except ValueError:
            return {}
    return note if isinstance(note, dict) else {}


def _reason(note: Mapping[str, Any]) -> str:
    code = note.get("error_code")
    return _REASONS.get(code, "wrong_answer") if isinstance(code, int) else "wrong_answer"
