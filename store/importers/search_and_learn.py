"""search-and-learn: `{approach}_completions.jsonl`, a problem a line with its completions and scores of each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from store.benchmark_formats import ProblemRecord
from store.importers import fields
from store.importers.metrics import scored
from store.importers.records import About, ImportedGroup, ImportedSample, ImportedVerdict, Item, ProblemName, Source
from store.importers.sources import each, records


def looks_like(record: Mapping[str, Any]) -> bool:
    return "completions" in record and ("agg_scores" in record or "scores" in record) and "problem" in record


def describe(source: Source) -> About:
    """The model by the folders `data/ORG/MODEL/` that the tool writes to."""
    parts = source.path.resolve().parts
    model = "/".join(parts[-3:-1]) if len(parts) > 4 and parts[-4] == "data" else None
    return About("search-and-learn", benchmark_format="math", model=model)


def read(source: Source) -> Iterator[Item]:
    return each(records(source.path, lenient=True), _group)


def _group(record: dict[str, Any], place: str) -> ImportedGroup:
    texts = fields.texts(record, "completions", place)
    lengths = _beside(record, "completion_tokens", texts, place)
    verdicts = _verdicts(record, texts, place)
    samples = [
        ImportedSample(
            text,
            completion_tokens=fields.count({"completion_tokens": length}, "completion_tokens", place),
            verdicts=one,
            field="completions",
        )
        for text, length, one in zip(texts, lengths, verdicts, strict=True)
    ]
    problem = fields.text(record, "problem", place)
    key = fields.maybe_text(record, "unique_id", place)
    answer = record.get("answer")
    kept = {name: record[name] for name in ("subject", "level", "solution") if record.get(name) is not None}
    made = ProblemRecord(key or "", problem, None if answer is None else str(answer), metadata=kept)
    return ImportedGroup(place, ProblemName([key] if key else [], [problem]), samples, made)


def _beside(record: Mapping[str, Any], name: str, texts: list[str], place: str) -> list[Any]:
    value = record.get(name)
    if value is None:
        return [None] * len(texts)
    if not isinstance(value, list):
        raise fields.wrong(name, place, "a list")
    fields.same_length(texts, value, ("completions", name), place)
    return value


def _verdicts(record: Mapping[str, Any], texts: list[str], place: str) -> list[list[ImportedVerdict]]:
    steps, totals = (_beside(record, name, texts, place) for name in ("scores", "agg_scores"))
    return [_verdict(step, total, place) for step, total in zip(steps, totals, strict=True)]


def _verdict(steps: Any, total: Any, place: str) -> list[ImportedVerdict]:
    score = fields.number({"agg_scores": total}, "agg_scores", place)
    known = numbers(steps, "scores", place)
    return [] if score is None and known is None else [scored(score, part="prm", steps=known)]


def numbers(value: Any, name: str, place: str) -> list[float] | None:
    """A list of numbers; None for null and for an empty list."""
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(isinstance(one, int | float) for one in value):
        raise fields.wrong(name, place, "a list of numbers for each sample")
    return [float(one) for one in value]
