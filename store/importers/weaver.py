"""Weaver: a problem a row with its samples and, beside each, scores and verdicts of many verifiers.

`answer_correct` is the truth. `{name}_scores` scores, `{name}_verdicts` judges (the mean of several says yes or no),
`{name}_step_scores` keeps the steps of a process reward model and `{name}_min_scores` and the like are its sums.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from store.benchmark_formats import BadFile, ProblemRecord
from store.importers import fields
from store.importers.metrics import scored
from store.importers.records import (
    UNDECIDED,
    About,
    Fault,
    ImportedGroup,
    ImportedSample,
    ImportedVerdict,
    Item,
    ProblemName,
    Source,
    judged,
)
from store.importers.search_and_learn import numbers
from store.importers.sources import Placed, each, listed, records

_SUMS = re.compile(r"(?P<name>.+)_(?P<sum>min|max|avg)_scores")


def looks_like(record: Mapping[str, Any]) -> bool:
    return "samples" in record and "answer_correct" in record


def describe(source: Source) -> About:
    return About("weaver", benchmark_format="math", reference="answer_correct")


def read(source: Source) -> Iterator[Item]:
    return each(_rows(source), _group)


def _rows(source: Source) -> Iterator[Placed | Fault]:
    found = listed(source.path, "*.parquet", "*.jsonl", "*.json")
    if not found:
        raise BadFile(f"{source.path}: holds no Parquet or JSON file.")
    for path in found:
        yield from records(path, lenient=True)


def _group(record: dict[str, Any], place: str) -> ImportedGroup:
    texts = fields.texts(record, "samples", place)
    verdicts: list[list[ImportedVerdict]] = [[] for _ in texts]
    for name in record:
        for one, verdict in zip(verdicts, _column(record, name, texts, place), strict=True):
            if verdict is not None:
                one.append(verdict)
    samples = [ImportedSample(text, verdicts=one, field="samples") for text, one in zip(texts, verdicts, strict=True)]
    asked = fields.maybe_text(record, "problem", place) or fields.maybe_text(record, "instruction", place)
    if not asked:
        raise fields.missing("instruction", place)
    key = fields.maybe_text(record, "unique_id", place)
    answer = record.get("answer")
    kept = {one: record[one] for one in ("subject", "level", "solution") if record.get(one) is not None}
    made = ProblemRecord(key or "", asked, None if answer is None else str(answer), metadata=kept)
    prompt = fields.maybe_text(record, "instruction", place)
    return ImportedGroup(place, ProblemName([key] if key else [], [asked]), samples, made, prompt)


def _column(record: dict[str, Any], name: str, texts: list[str], place: str) -> list[ImportedVerdict | None]:
    """What a column says of each sample; nothing for columns that are no verifier's."""
    if name == "answer_correct":
        return _truth(record, texts, place)
    if not name.endswith(("_scores", "_verdicts")) or record[name] is None:
        return [None] * len(texts)
    values = record[name]
    if not isinstance(values, list):
        raise fields.wrong(name, place, "a list with an entry for each sample")
    fields.same_length(texts, values, ("samples", name), place)
    if name.endswith("_verdicts"):
        return [_votes(value, name, place) for value in values]
    if name.endswith("_step_scores"):
        part = name.removesuffix("_step_scores")
        lists = [numbers(value, name, place) for value in values]
        return [None if steps is None else scored(min(steps), part=part, steps=steps) for steps in lists]
    match = _SUMS.fullmatch(name)
    part = f"{match['name']}/{match['sum']}" if match else name.removesuffix("_scores")
    return [_score(value, name, part, place) for value in values]


def _truth(record: dict[str, Any], texts: list[str], place: str) -> list[ImportedVerdict | None]:
    corrects = fields.booleans(record, "answer_correct", place)
    fields.same_length(texts, corrects, ("samples", "answer_correct"), place)
    answers = record.get("extracted_answers")
    if answers is None:
        answers = [None] * len(texts)
    fields.same_length(texts, answers, ("samples", "extracted_answers"), place)
    return [
        None if right is None else _judged(right, None if answer is None else str(answer))
        for right, answer in zip(corrects, answers, strict=True)
    ]


def _judged(right: bool, answer: str | None) -> ImportedVerdict:
    reason = "no_answer" if answer in (None, "") else "wrong_answer"
    return judged(right, reason=reason, answer=answer, part="answer_correct")


def _score(value: Any, name: str, part: str, place: str) -> ImportedVerdict | None:
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    score = fields.number({name: value}, name, place)
    return None if score is None else scored(score, part=part)


def _votes(value: Any, name: str, place: str) -> ImportedVerdict | None:
    votes = value if isinstance(value, list) else [value]
    known = [float(vote) for vote in votes if isinstance(vote, bool | int | float)]
    if len(known) < sum(vote is not None for vote in votes):
        raise fields.wrong(name, place, "lists of true, false or numbers")
    if not known:
        return None
    mean = sum(known) / len(known)
    part, detail = name.removesuffix("_verdicts"), {"verdicts": known}
    if mean == 0.5:
        return ImportedVerdict(UNDECIDED, "tie", score=mean, part=part, detail=detail)
    return judged(mean > 0.5, reason="wrong_answer", score=mean, part=part, detail=detail)
