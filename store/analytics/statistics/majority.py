"""Majority vote (plurality) over k samples: exact at any k, by random permutations for many k at once, and its limit.

A problem's samples fall into answer classes; invalid samples (no answer could be read) consume a draw and never win.
A class may be only partly correct, when the reference verifier judges samples and not answers: winning then counts with
the class's share of correct samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from store.analytics.statistics.arguments import (
    FloatArray,
    IntArray,
    optional,
    require,
    require_budgets,
    whole_numbers,
)
from store.analytics.statistics.plurality import PluralityVote, Rivals
from store.analytics.statistics.plurality_curves import winning_chances
from store.analytics.statistics.plurality_rivals import Contenders


@dataclass(frozen=True)
class AnswerClasses:
    """Answer classes of one problem that can win: samples [m], share correct [m], votes each [m]; invalid."""

    counts: IntArray
    shares: FloatArray
    weights: IntArray
    invalid: int

    @property
    def n(self) -> int:
        """All samples, invalid ones included."""
        return int(self.counts.sum()) + self.invalid


@dataclass(frozen=True)
class SimulatedVote:
    """Majority vote estimated by random permutations: value and Monte Carlo standard error [K], NaN for k > n."""

    ks: IntArray
    value: FloatArray
    monte_carlo_se: FloatArray
    permutations: int


def answer_classes(
    answer_counts: ArrayLike,
    correct_index: Sequence[int] | None = None,
    correct_share: ArrayLike | None = None,
    invalid: int = 0,
    class_weight: ArrayLike | None = None,
) -> AnswerClasses:
    """Checked answer classes: samples of each, and either the indices of correct classes or each class's share correct.

    `class_weight` (whole numbers, default 1): votes that each sample of a class casts; classes of weight 0 never win.
    """
    counts = np.atleast_1d(whole_numbers("answer_counts", answer_counts))
    require(counts.ndim == 1 and not bool(np.any(counts < 0)), "answer_counts must be a list without negative counts")
    require(invalid >= 0, f"invalid must not be negative, got {invalid}")
    require((correct_index is None) != (correct_share is None), "give either correct_index or correct_share")
    shares = _shares_of(counts.size, correct_index) if correct_index is not None else np.asarray(correct_share, float)
    require(shares.shape == counts.shape, f"correct_share needs one entry a class: {shares.shape} for {counts.size}")
    require(bool(np.all((shares >= 0) & (shares <= 1))), "correct_share must lie between 0 and 1")
    weights = np.ones_like(counts) if class_weight is None else whole_numbers("class_weight", class_weight)
    require(
        weights.shape == counts.shape and not bool(np.any(weights < 0)),
        "class_weight must be one number of at least 0 a class",
    )
    can_win = (counts > 0) & (weights > 0)
    silent = int(counts[~can_win].sum())
    return AnswerClasses(counts[can_win], shares[can_win], weights[can_win], int(invalid) + silent)


def _shares_of(classes: int, correct_index: Sequence[int]) -> FloatArray:
    shares = np.zeros(classes)
    for index in correct_index:
        require(0 <= index < classes, f"correct_index {index} names no answer class (there are {classes})")
        shares[index] = 1.0
    return shares


def plurality_at_k(classes: AnswerClasses, k: int) -> float | None:
    """Chance-weighted correctness of the plurality answer among k samples, fair ties; None for k > n."""
    budget = int(require_budgets([k])[0])
    if classes.weights.size and classes.weights.min() != classes.weights.max():
        return _weighted_plurality(classes, budget)
    return optional(float(plurality_curves([classes], [budget])[0, 0]))


def plurality_curves(problems: Sequence[AnswerClasses], ks: ArrayLike) -> FloatArray:
    """plurality_at_k of many problems at many k [P, K] in one go, every sample one vote; NaN for k > n."""
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    n = np.array([classes.n for classes in problems], dtype=np.int64)
    values = np.where(budgets <= n[:, None], 0.0, np.nan)
    for place, classes in enumerate(problems):
        values[place, budgets == classes.n] = _winner_share(classes.counts, classes.shares) if classes.n else 0.0
    field, share, row = _contenders(problems)
    chances = winning_chances(field, budgets) * share[:, None]
    inside = (budgets > 0) & (budgets < n[:, None])
    np.add.at(values, row, np.where(inside[row], chances, 0.0))
    return np.asarray(np.minimum(values, 1.0))


def _contenders(problems: Sequence[AnswerClasses]) -> tuple[Contenders, FloatArray, IntArray]:
    """The classes that are right at least in part, with their rivals: a row for each, its share and its problem."""
    rows: list[tuple[int, int, float]] = []
    rivals: list[tuple[IntArray, IntArray]] = []
    for place, classes in enumerate(problems):
        size, kind = np.unique(classes.counts, return_inverse=True)
        many, share = np.bincount(kind, minlength=size.size), np.bincount(kind, classes.shares, size.size)
        for own in np.flatnonzero(share > 0).tolist():
            left = many - (np.arange(size.size) == own)
            rows.append((place, int(size[own]), float(share[own])))
            rivals.append((size[left > 0][::-1], left[left > 0][::-1]))
    sizes, numbers = np.zeros((2, len(rows), max((size.size for size, _ in rivals), default=1)), dtype=np.int64)
    for i, (size, many) in enumerate(rivals):
        sizes[i, : size.size], numbers[i, : size.size] = size, many
    rowed = np.array([place for place, _, _ in rows], dtype=np.int64)
    n = np.array([classes.n for classes in problems], dtype=np.int64)[rowed]
    own_sizes = np.array([own for _, own, _ in rows], dtype=np.int64)
    return Contenders(n, own_sizes, sizes, numbers), np.array([share for _, _, share in rows]), rowed


def _weighted_plurality(classes: AnswerClasses, k: int) -> float | None:
    """plurality_at_k where samples of some classes cast more votes than others."""
    n = classes.n
    if k > n:
        return None
    if k == 0 or not classes.shares.any():
        return 0.0
    if k == n:
        return _winner_share(classes.counts * classes.weights, classes.shares)
    if k == 1:
        return float(classes.counts @ classes.shares / n)
    kinds, kind = np.unique(np.stack([classes.counts, classes.weights]), axis=1, return_inverse=True)
    many = np.bincount(kind.reshape(-1))
    share = np.bincount(kind.reshape(-1), weights=classes.shares)
    vote = PluralityVote(n, k)
    total = 0.0
    for own in np.flatnonzero(share > 0).tolist():
        left = many - (np.arange(many.size) == own)
        rivals = Rivals(kinds[0][left > 0], kinds[1][left > 0], left[left > 0])
        total += share[own] * vote.win_probability(int(kinds[0][own]), int(kinds[1][own]), rivals)
    return min(total, 1.0)


def _winner_share(scores: IntArray, shares: FloatArray) -> float:
    """Mean share correct of the classes that lead; 0 where nobody has a vote."""
    return float(shares[scores == scores.max()].mean()) if scores.size else 0.0


def majority_at_k(
    answer_counts: ArrayLike,
    correct_index: Sequence[int] | None = None,
    invalid: int = 0,
    k: int = 1,
    correct_share: ArrayLike | None = None,
) -> float | None:
    """Exact chance that the plurality answer of k samples is correct, ties split evenly; None for k > n.

    answer_counts [m]: samples of each answer; correct_index: the answers graded correct, or correct_share [m]: each
    answer's share of correct samples. U-statistic over all k-subsets, exact up to rounding (about 1e-14) for any k.
    """
    return plurality_at_k(answer_classes(answer_counts, correct_index, correct_share, invalid), k)


def majority_curve(
    answer_counts: ArrayLike,
    ks: ArrayLike,
    correct_index: Sequence[int] | None = None,
    invalid: int = 0,
    correct_share: ArrayLike | None = None,
) -> FloatArray:
    """majority_at_k at budgets ks [K]; NaN for k > n."""
    classes = answer_classes(answer_counts, correct_index, correct_share, invalid)
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    return np.asarray(plurality_curves([classes], budgets)[0])


def majority_plateau(
    answer_counts: ArrayLike,
    correct_index: Sequence[int] | None = None,
    invalid: int = 0,
    correct_share: ArrayLike | None = None,
) -> float | None:
    """Limit of majority vote for k to infinity: the modal answer's correctness, ties split; None without a sample."""
    return plurality_plateau(answer_classes(answer_counts, correct_index, correct_share, invalid))


def plurality_plateau(classes: AnswerClasses) -> float | None:
    """majority_plateau of checked classes, every sample one vote."""
    return _winner_share(classes.counts, classes.shares) if classes.n else None


def majority_by_permutation(
    answer_counts: ArrayLike,
    ks: ArrayLike,
    correct_index: Sequence[int] | None = None,
    invalid: int = 0,
    correct_share: ArrayLike | None = None,
    permutations: int = 1000,
    seed: int = 0,
) -> SimulatedVote:
    """Majority vote at all ks at once from random permutations, whose prefixes are uniform k-subsets for every k.

    Unbiased; standard error at most 0.5/sqrt(permutations). Deterministic in `seed`.
    """
    classes = answer_classes(answer_counts, correct_index, correct_share, invalid)
    require(permutations >= 2, "permutations must be at least 2")
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    labels = np.repeat(np.arange(classes.counts.size + 1), np.append(classes.counts, classes.invalid))
    random = np.random.default_rng(seed)
    drawn = np.full((permutations, budgets.size), np.nan)
    for row in drawn:
        random.shuffle(labels)
        for column in np.flatnonzero(budgets <= labels.size).tolist():
            tally = np.bincount(labels[: budgets[column]], minlength=classes.counts.size + 1)[:-1]
            row[column] = _winner_share(tally, classes.shares) if tally.any() else 0.0
    error = drawn.std(axis=0, ddof=1) / np.sqrt(permutations)
    return SimulatedVote(budgets, drawn.mean(axis=0), error, permutations)
