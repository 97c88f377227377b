"""Best-of-k under a score, exact for every k <= n: draw k of n samples, keep the one that scores highest.

Sort by score ascending; the highest of a random k-subset has rank r with probability w(r) - w(r-1), where
w(r) = C(r, k)/C(n, k). A tie group at ranks (L, U] wins with w(U) - w(L) and, ties being fair, is correct with its own
share of correct members. The weights come from the all-positive recurrence w(r-1) = w(r) (r-k)/r, w(n) = 1, and serve
all problems with the same n.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.analytics.statistics.arguments import FloatArray, IntArray, optional, require, require_budgets
from store.analytics.statistics.ranked_run import RankedRun, ranked_run

Ties = Literal["fair", "pessimistic", "optimistic", "first"]
Missing = Literal["lowest", "abstain"]


@dataclass(frozen=True)
class BestOfCurve:
    """Best-of-k of one problem at budgets `ks` [K]; arrays [K], NaN for k > n.

    value: chance that the chosen sample is correct; regret: pass@k minus value; expected_score: mean score of the
    chosen sample (NaN where it may have none). missing_share: samples without a score; tie_mass: share of samples that
    tie with another.
    """

    ks: IntArray
    value: FloatArray
    regret: FloatArray
    expected_score: FloatArray
    n: int
    missing_share: float
    tie_mass: float


def rank_weights(n: int, ks: ArrayLike) -> FloatArray:
    """Chance [K, n] that the highest of k among n distinct scores has ascending rank 1..n; NaN rows for k > n."""
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    weights = np.zeros((budgets.size, n))
    ranks = np.arange(n, 0, -1, dtype=np.float64)
    for row, k in enumerate(budgets.tolist()):
        if k > n:
            weights[row] = np.nan
        elif k > 0:
            # P(highest is rank r) = w(r) k/r: positive throughout, no difference of near-equal numbers.
            w = np.concatenate([[1.0], np.cumprod((ranks[: n - k] - k) / ranks[: n - k])])
            weights[row, k - 1 :] = (w * (k / ranks[: n - k + 1]))[::-1]
    return weights


def _scores(scores: Sequence[float | None] | ArrayLike) -> FloatArray:
    """Scores as floats, missing ones (None or NaN) as NaN."""
    if isinstance(scores, np.ndarray) and scores.dtype.kind in "iufb":
        return scores.astype(np.float64)
    return np.array(
        [np.nan if score is None else score for score in np.asarray(scores, dtype=object)], dtype=np.float64
    )


def _correctness(correct: ArrayLike, n: int) -> FloatArray:
    shares = np.asarray(correct, dtype=np.float64)
    require(shares.shape == (n,), f"correct must hold one number a sample: {shares.shape} for {n} scores")
    require(bool(np.all((shares >= 0) & (shares <= 1))), "correct must lie between 0 and 1 for every sample")
    return shares


def _require_modes(ties: str, missing: str) -> None:
    require(ties in get_args(Ties), f"ties must be one of {', '.join(get_args(Ties))}, got {ties!r}")
    require(missing in get_args(Missing), f"missing must be one of {', '.join(get_args(Missing))}, got {missing!r}")


def _ascending(scores: FloatArray, absent: NDArray[np.bool_], correct: FloatArray, ties: Ties) -> IntArray:
    """Sample order by ascending score, missing ones first, the member that wins a tie last in its group."""
    if ties == "fair":
        # One plain sort: NaN comes last there, and is brought to the front.
        return np.roll(np.argsort(np.where(absent, np.nan, scores)), int(absent.sum()))
    within = {"pessimistic": -correct, "optimistic": correct, "first": -np.arange(scores.size, dtype=np.float64)}
    return np.asarray(np.lexsort((within[ties], scores, ~absent)))


def correctness_by_rank(
    scores: Sequence[float | None] | ArrayLike,
    correct: ArrayLike,
    ties: Ties = "fair",
    missing: Missing = "lowest",
) -> FloatArray:
    """Chance [n] that the sample of each ascending score rank is correct, ties resolved; multiply by rank_weights.

    Ties `fair` share the group's mean; `pessimistic`/`optimistic` let a wrong/correct member win; `first` the earliest
    sample (then the order of samples matters). Missing scores rank `lowest` (one tie group) or `abstain` (never win).
    """
    _require_modes(ties, missing)
    score = _scores(scores)
    share = _correctness(correct, score.size)
    absent = np.isnan(score)
    if missing == "abstain":
        share = np.where(absent, 0.0, share)
    # A missing score has a key of its own: -inf is a legitimate score and stays above it.
    filled = np.where(absent, -np.inf, score)
    order = _ascending(filled, absent, share, ties)
    if ties != "fair":
        return np.asarray(share[order])
    group = _tie_groups(filled[order], absent[order])
    sizes = np.bincount(group)
    return np.asarray((np.bincount(group, weights=share[order]) / np.maximum(sizes, 1))[group])


def _tie_groups(ranked: FloatArray, absent: NDArray[np.bool_]) -> IntArray:
    """Number of the tie group of each rank, for ascending scores with the missing ones first."""
    if ranked.size == 0:
        return np.zeros(0, dtype=np.int64)
    changes = (ranked[1:] != ranked[:-1]) | (absent[1:] != absent[:-1])
    return np.concatenate([[0], np.cumsum(changes)])


def best_of_k(
    scores: Sequence[float | None] | ArrayLike,
    correct: ArrayLike,
    k: int,
    ties: Ties = "fair",
    missing: Missing = "lowest",
) -> float | None:
    """Chance that the highest-scoring of k samples is correct; None for k > n. U-statistic over all k-subsets.

    scores [n] (None or NaN: missing), correct [n] 0/1 or in [0, 1]. Raises InvalidStatisticArgument for bad arguments.
    """
    by_rank = correctness_by_rank(scores, correct, ties, missing)
    return optional(float((rank_weights(by_rank.size, [k]) @ by_rank)[0])) if by_rank.size else _of_nothing(k)


def _of_nothing(k: int) -> float | None:
    """Without samples only k = 0 is answered: nothing is chosen, nothing is correct."""
    return None if int(require_budgets([k])[0]) else 0.0


def best_of_curve(
    scores: Sequence[float | None] | ArrayLike,
    correct: ArrayLike,
    ks: ArrayLike,
    ties: Ties = "fair",
    missing: Missing = "lowest",
) -> BestOfCurve:
    """Best-of-k of one problem at many budgets: O(n log n) once and O(n) a budget."""
    score = _scores(scores)
    share = _correctness(correct, score.size)
    n, absent = score.size, np.isnan(score)
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    weights = rank_weights(n, budgets)
    value = weights @ correctness_by_rank(score, share, ties, missing)
    oracle = weights @ np.sort(share)
    # Scores in the order of their ranks; a subset of missing scores alone, or an infinite score, has no mean.
    shown = np.where(absent, 0.0, score)[np.lexsort((score, ~absent))]
    defined = (budgets > 0) & (int(absent.sum()) < budgets) & bool(np.isfinite(shown).all())
    expected = np.where(defined, weights @ np.where(np.isfinite(shown), shown, 0.0), np.nan)
    sizes = np.unique(score[~absent], return_counts=True)[1]
    tied = int(sizes[sizes > 1].sum()) + (int(absent.sum()) if absent.sum() > 1 else 0)
    return BestOfCurve(budgets, value, oracle - value, expected, n, _share(int(absent.sum()), n), _share(tied, n))


def _share(count: int, n: int) -> float:
    return count / n if n else 0.0


def best_of_grid(
    problem: ArrayLike,
    scores: Sequence[float | None] | ArrayLike,
    correct: ArrayLike,
    ks: ArrayLike,
    ties: Ties = "fair",
    missing: Missing = "lowest",
) -> tuple[IntArray, FloatArray]:
    """Best-of-k of a whole run: distinct problems [P] and values [P, K] for samples [N] named by `problem` [N].

    Rank weights are shared by all problems with the same n, so a run of a million samples is one sort a problem and
    one matrix product. NaN where k exceeds the problem's n.
    """
    names = np.asarray(problem)
    score, budgets = _scores(scores), require_budgets(np.atleast_1d(np.asarray(ks)))
    share = _correctness(correct, score.size)
    require(names.shape == score.shape, "problem must name the problem of each sample")
    if (ties, missing) == ("fair", "lowest"):
        ranked = ranked_run(names, score, share)
        return ranked.problems, best_of_ranked(ranked, budgets)
    order = np.argsort(names, kind="stable")
    distinct, starts = np.unique(names[order], return_index=True)
    parts = np.split(order, starts[1:]) if distinct.size else []
    values = np.full((distinct.size, budgets.size), np.nan)
    for n in sorted({part.size for part in parts}):
        rows = [row for row, part in enumerate(parts) if part.size == n]
        by_rank = np.stack([correctness_by_rank(score[parts[row]], share[parts[row]], ties, missing) for row in rows])
        values[rows] = by_rank @ rank_weights(n, budgets).T
    return distinct, values


def best_of_ranked(run: RankedRun, ks: ArrayLike) -> FloatArray:
    """best_of_grid's values [P, K] of a run whose samples are ranked already: fair ties, missing scores lowest."""
    budgets, sizes = require_budgets(np.atleast_1d(np.asarray(ks))), np.diff(run.starts)
    values = np.full((sizes.size, budgets.size), np.nan)
    for n in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == n)
        # Where all problems have as many samples, as in most runs, nothing has to be gathered.
        alike = rows.size == sizes.size
        share = run.share.reshape(-1, n) if alike else run.share[run.starts[rows, None] + np.arange(n)]
        values[rows] = share @ rank_weights(n, budgets).T
    return values
