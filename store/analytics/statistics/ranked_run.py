"""The scores of a whole run in the order of their ranks, problem by problem: ties found once for every budget."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import BoolArray, FloatArray, IntArray

SingleArray = NDArray[np.float32]

_MOST_PROBLEMS = 1 << 30
#: The bit of a packed sample at which the place of its problem begins: above its score's 32 and that of correctness.
_PLACE = 33
_SIGN = np.int32(-(1 << 31))


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


def ranked_run(problem: NDArray[Any], score: FloatArray | SingleArray, correct: FloatArray | BoolArray) -> RankedRun:
    """Rank samples [N]: score NaN where missing, correct 0 to 1 (or true and false)."""
    problems, place = _places(problem)
    packed = _packed(place, score, correct) if problems.size < _MOST_PROBLEMS else None
    ranks = _by_order(place, score, correct, problems.size) if packed is None else _by_number(packed, problems.size)
    first = np.flatnonzero(ranks.changes)
    sizes = np.diff(np.append(first, ranks.right.size))
    share = np.repeat((np.add.reduceat(ranks.right, first) if first.size else ranks.right) / sizes, sizes)
    several = np.append(0, np.cumsum(np.where(sizes > 1, sizes, 0)))
    tied = np.diff(several[np.searchsorted(first, ranks.starts)])
    return RankedRun(problems, ranks.starts, share, ranks.missing.astype(np.float64), tied.astype(np.float64))


@dataclass(frozen=True)
class _Ranks:
    """Samples [N] in the order of their ranks: how correct each is, and whether it is the first of its tie.

    starts [P + 1], missing [P]: as RankedRun has them.
    """

    right: NDArray[Any]
    changes: BoolArray
    starts: IntArray
    missing: IntArray


def _by_number(packed: NDArray[np.uint64], problems: int) -> _Ranks:
    """Ranks of packed samples [N], which are sorted in place."""
    packed.sort()
    changes = np.ones(packed.size, dtype=np.bool_)
    changes[1:] = (packed[1:] ^ packed[:-1]) > 1
    bounds = np.arange(problems + 1, dtype=np.uint64) << np.uint64(_PLACE)
    starts = np.searchsorted(packed, bounds)
    scored = np.searchsorted(packed, bounds[:-1] + np.uint64(2))
    return _Ranks(packed & np.uint64(1), changes, starts, scored - starts[:-1])


def _by_order(place: IntArray, score: FloatArray | SingleArray, correct: NDArray[Any], problems: int) -> _Ranks:
    """Ranks of samples [N] of any score and any share of correctness."""
    order = _order(place, score, np.isnan(score))
    place, score = place[order], score[order]
    absent = np.isnan(score)
    changes = np.ones(place.size, dtype=np.bool_)
    changes[1:] = (place[1:] != place[:-1]) | (absent[1:] != absent[:-1])
    changes[1:] |= ~absent[1:] & (score[1:] != score[:-1])
    missing = np.bincount(place[absent], minlength=problems)
    return _Ranks(correct[order].astype(np.float64), changes, np.searchsorted(place, np.arange(problems + 1)), missing)


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


def _order(place: IntArray, score: FloatArray | SingleArray, absent: NDArray[np.bool_]) -> IntArray:
    """Samples [N] by problem, those without a score first, then by score."""
    by_score = np.argsort(score)
    part = 2 * place + ~absent
    # Numpy sorts stably by short numbers in one pass over them.
    small = part.astype(np.uint16) if int(part.max(initial=0)) < 1 << 16 else part
    return np.asarray(by_score[np.argsort(small[by_score], kind="stable")])


def _packed(
    place: IntArray, score: FloatArray | SingleArray, correct: FloatArray | BoolArray
) -> NDArray[np.uint64] | None:
    """Problem, score and correctness as one whole number a sample, in the order of all three: one sort ranks them.

    None where scores have more digits than 32-bit numbers, as verdicts keep them, or samples are partly correct.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        single = score.astype(np.float32)
    right = correct.astype(np.bool_)
    if not (_equal(single, score) and _equal(right, correct)):
        return None
    single += np.float32(0)  # no negative zero
    bits = single.view(np.int32)
    # The bits of positive numbers are in order already, those of negative ones in the opposite; 0 is nobody's.
    key = (bits ^ (bits >> 31 | _SIGN)).view(np.uint32)
    key[np.isnan(single)] = 0
    packed = place.astype(np.uint64) << np.uint64(_PLACE)
    packed |= key.astype(np.uint64) << np.uint64(1)
    packed |= right
    return packed


def _equal(short: NDArray[Any], given: NDArray[Any]) -> bool:
    """Whether nothing was lost by writing numbers in a shorter type; NaN is kept by every one."""
    return short.dtype == given.dtype or np.array_equal(short, given, equal_nan=given.dtype.kind == "f")
