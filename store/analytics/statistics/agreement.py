"""Selection by generated tests, as CodeT does (Chen et al. 2207.10397): candidates that pass the same tests agree.

Candidates of a problem with the same set of passed tests form a consensus set; its score is the number of its
candidates among the k drawn (to a power) times the number of tests it passes. Choosing the best set and a candidate of
it at random is a vote in which a candidate's class is its set of passed tests and its weight follows from the number of
those, so plurality_at_k answers it exactly for every k.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.analytics.statistics.arguments import FloatArray, IntArray, require, require_budgets
from store.analytics.statistics.majority import AnswerClasses, plurality_at_k

CandidateWeight = Literal["count", "root"]


@dataclass(frozen=True)
class ConsensusSet:
    """Candidates (by index) that pass exactly the same generated tests, and that number of tests."""

    candidates: tuple[int, ...]
    tests_passed: int


def consensus_sets(passes: ArrayLike) -> list[ConsensusSet]:
    """Consensus sets of one problem from outcomes [candidates, tests] (true: passed), in order of first candidate."""
    table = _table(passes)
    groups: dict[bytes, list[int]] = {}
    for candidate, row in enumerate(table):
        groups.setdefault(np.packbits(row).tobytes(), []).append(candidate)
    return [ConsensusSet(tuple(members), int(table[members[0]].sum())) for members in groups.values()]


def _table(passes: ArrayLike) -> NDArray[np.bool_]:
    table = np.asarray(passes)
    require(table.ndim == 2, "outcomes must be a matrix of candidates x generated tests")
    require(bool(np.isin(table, (0, 1)).all()), "outcomes must be passed (1) or not (0): leave undecided tests out")
    return table.astype(bool)


def agreement_classes(
    passes: ArrayLike, correct: ArrayLike, candidate_weight: CandidateWeight = "root"
) -> AnswerClasses:
    """The consensus sets as classes of a weighted vote; candidates that pass no test never win.

    correct [candidates] 0/1 by the reference. candidate_weight: `count` scores |candidates| x tests, as the paper
    writes it; `root` sqrt(|candidates|) x tests, as its released code does (tests squared has the same order).
    """
    share = np.asarray(correct, dtype=np.float64)
    sets = consensus_sets(passes)
    require(share.shape == (sum(len(one.candidates) for one in sets),), "correct must hold one number a candidate")
    require(candidate_weight in ("count", "root"), "candidate_weight must be count or root")
    power = 2 if candidate_weight == "root" else 1
    voting = [one for one in sets if one.tests_passed]
    return AnswerClasses(
        counts=np.array([len(one.candidates) for one in voting], dtype=np.int64),
        shares=np.array([share[list(one.candidates)].mean() for one in voting], dtype=np.float64),
        weights=np.array([one.tests_passed**power for one in voting], dtype=np.int64),
        invalid=sum(len(one.candidates) for one in sets if not one.tests_passed),
    )


def agreement_at_k(
    passes: ArrayLike, correct: ArrayLike, ks: ArrayLike, candidate_weight: CandidateWeight = "root"
) -> FloatArray:
    """Chance [K] that the candidate chosen by generated-test agreement among k is correct; NaN for k > n. Exact."""
    classes = agreement_classes(passes, correct, candidate_weight)
    budgets: IntArray = require_budgets(np.atleast_1d(np.asarray(ks)))
    values = (plurality_at_k(classes, k) for k in budgets.tolist())
    return np.array([np.nan if value is None else value for value in values])


def agreement_scores(passes: ArrayLike, candidate_weight: CandidateWeight = "root") -> FloatArray:
    """Score [candidates] of each candidate's consensus set within all candidates, to choose one of them."""
    sets: Sequence[ConsensusSet] = consensus_sets(passes)
    scores = np.zeros(sum(len(one.candidates) for one in sets))
    for one in sets:
        size = len(one.candidates)
        scores[list(one.candidates)] = (size if candidate_weight == "count" else size**0.5) * one.tests_passed
    return scores
