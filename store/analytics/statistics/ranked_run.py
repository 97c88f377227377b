"""The scores of a whole run in the order of their ranks, problem by problem: ties found once for every budget."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import FloatArray, IntArray

_MOST_PROBLEMS = 1 << 30
_SCORE_BITS = np.uint64(0xFFFFFFFF)
_SIGN = np.uint32(1 << 31)


@dataclass(frozen=True)
class RankedRun:
    """Samples [N] by problem and ascending score, those without a score first.

    problems [P]; starts [P + 1]: where each problem's samples begin; share [N]: chance that the sample of that rank is
    correct, members of a tie taking turns; missing [P]: samples without a score; tied [P]: samples that tie with
    another, those without a score among themselves.
    """

    problems: NDArray[Any]
    starts: IntArray
    share: FloatArray
    missing: FloatArray
    tied: FloatArray


def ranked_run(problem: NDArray[Any], score: FloatArray, correct: FloatArray) -> RankedRun:
    """Rank samples [N]: score NaN where missing, correct 0 to 1."""
    problems, place = _places(problem)
    packed = _packed(place, score, correct) if problems.size < _MOST_PROBLEMS else None
    if packed is None:
        absent = np.isnan(score)
        order = _order(place, score, absent)
        place, absent, right = place[order], absent[order], correct[order]
        changes = (place[1:] != place[:-1]) | (absent[1:] != absent[:-1])
        changes |= ~absent[1:] & (score[order][1:] != score[order][:-1])
    else:
        packed.sort()
        right = (packed & np.uint64(1)).astype(np.float64)
        group = packed >> np.uint64(1)
        place, absent = (group >> np.uint64(32)).astype(np.int64), group & _SCORE_BITS == 0
        changes = group[1:] != group[:-1]
    first = np.flatnonzero(np.concatenate([[True], changes])) if place.size else np.zeros(0, dtype=np.int64)
    sizes = np.diff(np.append(first, place.size))
    wins = np.add.reduceat(right, first) if first.size else right
    several = np.where(sizes > 1, sizes, 0)
    missing, tied = (
        np.bincount(place[first], many.astype(np.float64), problems.size).astype(np.float64)
        for many in (sizes * absent[first], several)
    )
    share = np.repeat(wins / np.maximum(sizes, 1), sizes)
    return RankedRun(problems, np.searchsorted(place, np.arange(problems.size + 1)), share, missing, tied)


def _places(problem: NDArray[Any]) -> tuple[NDArray[Any], IntArray]:
    """Different problems [P], ascending, and where each sample's [N] is among them; by counting where they are keys."""
    if problem.dtype.kind == "i" and problem.size:
        least = problem.min()
        key = (problem - least).astype(np.int64)
        if int(key.max()) <= problem.size:
            there = np.bincount(key) > 0
            return np.flatnonzero(there) + least, (np.cumsum(there) - 1)[key]
    problems, place = np.unique(problem, return_inverse=True)
    return problems, place.reshape(-1)


def _order(place: IntArray, score: FloatArray, absent: NDArray[np.bool_]) -> IntArray:
    """Samples [N] by problem, those without a score first, then by score."""
    by_score = np.argsort(score)
    part = 2 * place + ~absent
    # Numpy sorts stably by short numbers in one pass over them.
    small = part.astype(np.uint16) if int(part.max(initial=0)) < 1 << 16 else part
    return np.asarray(by_score[np.argsort(small[by_score], kind="stable")])


def _packed(place: IntArray, score: FloatArray, correct: FloatArray) -> NDArray[np.uint64] | None:
    """Problem, score and correctness as one whole number a sample, in the order of all three: one sort ranks them.

    None where scores have more digits than 32-bit numbers, as verdicts keep them, or samples are partly correct.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        single = score.astype(np.float32) + np.float32(0)  # no negative zero
    right = correct != 0
    if not (np.array_equal(single, score, equal_nan=True) and np.array_equal(right, correct)):
        return None
    bits = single.view(np.uint32)
    # The bits of positive numbers are in order already, those of negative ones in the opposite; 0 is nobody's.
    key = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    key[np.isnan(single)] = 0
    packed = place.astype(np.uint64) << np.uint64(33)
    packed |= key.astype(np.uint64) << np.uint64(1)
    packed |= right
    return packed
