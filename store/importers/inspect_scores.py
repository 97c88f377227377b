"""Scores of inspect's scorers as verdicts: C and I decide, P and N do not count as right, NaN was not scored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from store.importers.metrics import SCORE_ONLY, by_number
from store.importers.records import INCORRECT, UNDECIDED, ImportedVerdict, judged

_LONGEST_EXPLANATION = 2000


def verdicts_of(scores: Mapping[str, Any], place: str) -> list[ImportedVerdict]:
    """The verdicts of a sample's scores, by name of the scorer; a scorer with several values has a part for each."""
    found: list[ImportedVerdict] = []
    for name, score in scores.items():
        if isinstance(score, dict):
            found += _verdicts(name, score.get("value"), _texts(score))
    return found


def _texts(score: Mapping[str, Any]) -> dict[str, Any]:
    answer, said = score.get("answer"), score.get("explanation")
    detail = {"explanation": said[:_LONGEST_EXPLANATION]} if isinstance(said, str) and said else None
    return {"answer": None if answer is None else str(answer), "detail": detail}


def _verdicts(name: str, value: Any, texts: Mapping[str, Any]) -> list[ImportedVerdict]:
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in _verdicts(f"{name}/{key}", inner, texts)]
    if isinstance(value, list):
        return [one for n, inner in enumerate(value) for one in _verdicts(f"{name}/{n}", inner, texts)]
    return [_verdict(value, {"part": name, **texts})]


def _verdict(value: Any, values: dict[str, Any]) -> ImportedVerdict:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ImportedVerdict(UNDECIDED, "unscored", **values)
    if isinstance(value, str):
        return _lettered(value, values)
    return by_number(value, **values) or ImportedVerdict(UNDECIDED, "unscored", **values)


def _lettered(value: str, values: dict[str, Any]) -> ImportedVerdict:
    if value == "C":
        return judged(True, score=1.0, **values)
    if value == "I":
        return judged(False, reason="wrong_answer", score=0.0, **values)
    if value == "P":
        return ImportedVerdict(INCORRECT, "partial", score=0.5, **values)
    if value == "N":
        return ImportedVerdict(INCORRECT, "no_answer", score=0.0, **values)
    if value.lower() in ("yes", "true", "no", "false"):
        return judged(value.lower() in ("yes", "true"), reason="wrong_answer", **values)
    try:
        number = float(value)
    except ValueError:
        return ImportedVerdict(UNDECIDED, SCORE_ONLY, **values)
    return by_number(number, **values) or ImportedVerdict(UNDECIDED, "unscored", **values)
