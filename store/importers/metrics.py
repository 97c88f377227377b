"""Numbers that other tools call metrics, as verdicts: only what says yes or no decides."""

from __future__ import annotations

import math
from typing import Any

from store.importers.records import UNDECIDED, ImportedVerdict, judged

#: Reason of a verdict that is a score alone, and of one whose tool gave an answer and no judgement.
SCORE_ONLY, NOT_JUDGED = "score_only", "not_judged"


def scored(score: float | None, **values: Any) -> ImportedVerdict:
    """A verdict of a verifier that scores and decides nothing."""
    return ImportedVerdict(UNDECIDED, SCORE_ONLY, score=score, **values)


def by_number(value: Any, **values: Any) -> ImportedVerdict | None:
    """1 and true are right, 0 and false wrong, any other number a score alone; None for what is no number."""
    if isinstance(value, bool):
        return judged(value, reason="wrong_answer", **values)
    if not isinstance(value, int | float) or math.isnan(value):
        return None
    if value in (0, 1):
        return judged(value == 1, reason="wrong_answer", score=float(value), **values)
    return scored(float(value), **values)
