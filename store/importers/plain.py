"""Plain JSON lines, JSON arrays and Parquet: fields under names of ours, or of the file's own with a column map.

`--map completion=text,problem=meta.id` says which column holds what; a dot goes into an object. A completion that is
a list brings several samples of one problem, and `correct`, `score` and `answer` beside it are lists as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from store.benchmark_formats import BadFile, ProblemRecord
from store.importers import fields
from store.importers.records import (
    UNDECIDED,
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

#: What a column may hold -> names it is looked for under when the map does not say.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "problem": ("task_id", "problem", "id", "problem_id"),
    "prompt": ("prompt", "question"),
    "completion": ("completion", "completions"),
    "index": ("sample_index",),
    "reference_answer": ("reference_answer",),
    "prompt_tokens": ("prompt_tokens",),
    "cached_prompt_tokens": ("cached_prompt_tokens",),
    "completion_tokens": ("completion_tokens",),
    "reasoning_tokens": ("reasoning_tokens",),
    "finish_reason": ("finish_reason",),
    "latency_seconds": ("latency_seconds",),
    "cumulative_logprob": ("cumulative_logprob",),
    "seed": ("seed",),
    "correct": ("correct", "passed"),
    "score": ("score",),
    "answer": ("extracted_answer",),
}
_COUNTS = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "reasoning_tokens", "seed")
_NUMBERS = ("latency_seconds", "cumulative_logprob")


def column_map(text: str) -> dict[str, str]:
    """`completion=text,problem=id` as a mapping. Raises BadFile for a column of ours that there is not."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    for ours, separator, theirs in pairs:
        if ours.strip() not in COLUMNS or not separator or not theirs.strip():
            raise BadFile(
                f'--map "{ours}{separator}{theirs}" must be OURS=THEIRS with OURS one of {", ".join(COLUMNS)}.'
            )
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def looks_like(record: Mapping[str, Any]) -> bool:
    return any(name in record for name in COLUMNS["completion"])


def describe(source: Source) -> About:
    return About(source.options.get("tool", "jsonl"), source.options.get("tool_version"))


def read(source: Source) -> Iterator[Item]:
    chosen = column_map(source.options.get("map", ""))
    return each(records(source.path), lambda record, place: _group(_Row(record, chosen, place)))


class _Row:
    """One record, read through the column map."""

    def __init__(self, record: Mapping[str, Any], chosen: Mapping[str, str], place: str) -> None:
        self.place = place
        self.values: dict[str, Any] = {}
        self.names: dict[str, str] = {}
        for ours, usual in COLUMNS.items():
            name = chosen.get(ours) or next((one for one in usual if record.get(one) is not None), usual[0])
            self.names[ours] = name
            self.values[name] = _reached(record, name)
        if chosen.get("completion") and self.values[chosen["completion"]] is None:
            raise fields.missing(chosen["completion"], place)

    def get(self, ours: str) -> Any:
        return self.values[self.names[ours]]

    def listed(self, ours: str, length: int) -> list[Any]:
        """The values beside a list of completions, one each."""
        value = self.get(ours)
        if not isinstance(self.get("completion"), list) or not isinstance(value, list):
            return [value] * length
        fields.same_length([None] * length, value, (self.names["completion"], self.names[ours]), self.place)
        return value


def _reached(record: Mapping[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _group(row: _Row) -> ImportedGroup:
    field = row.names["completion"]
    completion = row.get("completion")
    several = isinstance(completion, list)
    texts = fields.texts(row.values, field, row.place) if several else [_text(row, field)]
    samples = _samples(row, texts, field, several)
    name, prompt = _name(row), fields.maybe_text(row.values, row.names["prompt"], row.place)
    made = None
    if prompt:
        answer = row.get("reference_answer")
        made = ProblemRecord(name.keys[0] if name.keys else "", prompt, None if answer is None else str(answer))
    return ImportedGroup(row.place, name, samples, made)


def _text(row: _Row, field: str) -> str:
    if not isinstance(row.values[field], str):
        raise fields.wrong(field, row.place, "text")
    return fields.text(row.values, field, row.place)


def _name(row: _Row) -> ProblemName:
    name = row.names["problem"]
    if row.get("problem") is not None:
        return ProblemName(keys=[fields.key(row.values, name, row.place)])
    prompt = fields.maybe_text(row.values, row.names["prompt"], row.place)
    if not prompt:
        raise fields.missing(name, row.place)
    return ProblemName(texts=[prompt])


def _samples(row: _Row, texts: list[str], field: str, several: bool) -> list[ImportedSample]:
    index = fields.count(row.values, row.names["index"], row.place)
    if several and index is not None:
        raise fields.wrong(row.names["index"], row.place, "absent where completions are a list")
    columns = {ours: row.listed(ours, len(texts)) for ours in (*_COUNTS, *_NUMBERS, "finish_reason")}
    verdicts = _verdicts(row, len(texts))
    samples = []
    for n, text in enumerate(texts):
        one = {row.names[ours]: values[n] for ours, values in columns.items()}
        known: dict[str, Any] = {ours: fields.count(one, row.names[ours], row.place) for ours in _COUNTS}
        known |= {ours: fields.number(one, row.names[ours], row.place) for ours in _NUMBERS}
        known["finish_reason"] = fields.maybe_text(one, row.names["finish_reason"], row.place)
        samples.append(ImportedSample(text, index, verdicts=verdicts[n], field=field, **known))
    return samples


def _verdicts(row: _Row, length: int) -> list[list[ImportedVerdict]]:
    corrects, scores, answers = (row.listed(ours, length) for ours in ("correct", "score", "answer"))
    return [_verdict(row, *one) for one in zip(corrects, scores, answers, strict=True)]


def _verdict(row: _Row, correct: Any, score: Any, answer: Any) -> list[ImportedVerdict]:
    value = fields.number({row.names["score"]: score}, row.names["score"], row.place)
    said = None if answer is None else str(answer)
    if correct is not None:
        right = fields.boolean({row.names["correct"]: correct}, row.names["correct"], row.place)
        return [judged(right, reason="wrong_answer", answer=said, score=value)]
    if value is None:
        return []
    return [ImportedVerdict(UNDECIDED, "score_only", said, value)]
