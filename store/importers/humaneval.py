"""HumanEval: samples `{"task_id", "completion"}`, results with `result` and `passed` beside them; `.gz` too.

The index of a sample is its place among the lines of its problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from store.importers import fields
from store.importers.records import About, ImportedGroup, ImportedSample, ImportedVerdict, Item, ProblemName, Source
from store.importers.records import judged as verdict
from store.importers.sources import each, lines


def looks_like(record: Mapping[str, Any]) -> bool:
    return "task_id" in record and "completion" in record


def describe(source: Source) -> About:
    return About("human-eval", benchmark="humaneval", benchmark_format="humaneval")


def read(source: Source) -> Iterator[Item]:
    return each(lines(source.path), _group)


def _group(record: dict[str, Any], place: str) -> ImportedGroup:
    completion = fields.text(record, "completion", place)
    sample = ImportedSample(completion, verdicts=_verdicts(record, place))
    return ImportedGroup(place, ProblemName(keys=[fields.key(record, "task_id", place)]), [sample])


def _verdicts(record: dict[str, Any], place: str) -> list[ImportedVerdict]:
    if "passed" not in record:
        return []
    said = fields.maybe_text(record, "result", place) or ""
    return [verdict(fields.boolean(record, "passed", place), reason=reason_of(said), detail=_detail(said))]


def reason_of(said: str) -> str:
    """The reason of ours that a result's text means: `timed out`, `failed: AssertionError`, any other exception."""
    if "timed out" in said:
        return "wall_time"
    after = said.partition("failed:")[2].strip()
    return "exception" if after and not after.startswith("AssertionError") else "wrong_answer"


def _detail(said: str) -> dict[str, str] | None:
    return {"result": said[:1000]} if said and said != "passed" else None
