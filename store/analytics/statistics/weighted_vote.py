"""Weighted majority vote over k samples: by enumeration where small, else by permutation prefixes with their error."""

import functools
import itertools
import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from store.analytics.statistics.arguments import (
    BoolArray,
    FloatArray,
    IntArray,
    require,
    require_budget,
    require_budgets,
)

Transform = Literal["identity", "softmax", "sigmoid", "rank"]
TIE_TOLERANCE = 1e-12
MOST_SUBSETS = 200_000
_CHUNK_SUBSETS = 20_000
_CHUNK_CELLS = 400_000


@dataclass(frozen=True)
class WeightedVote:
    """Chance that the answer with the largest total weight among k samples is correct.

    monte_carlo_se: 0 when `method` is enumeration, else the standard error of the simulation alone (to be shown beside
    the value, not mixed with the error over problems).
    """

    value: float
    monte_carlo_se: float
    method: Literal["enumeration", "permutation"]
    permutations: int


@dataclass(frozen=True)
class Ballots:
    """Samples that can vote carry a class and a weight, the others class m (no answer, or no weight); [n] each."""

    labels: IntArray
    weights: FloatArray
    shares: FloatArray


def vote_weights(scores: ArrayLike, transform: Transform, temperature: float = 1.0) -> FloatArray:
    """Weights [n] >= 0 from scores [n]; NaN (missing) stays NaN and does not vote. The transform belongs on record.

    identity refuses negative scores, whose sum means nothing; softmax over the samples at `temperature`; sigmoid;
    rank: Borda points, the number of scored samples at or below (ties share).
    """
    x = np.asarray(scores, dtype=np.float64)
    require(transform in get_args(Transform), f"transform must be one of {', '.join(get_args(Transform))}")
    there = ~np.isnan(x)
    if transform == "identity":
        require(bool(np.all(x[there] >= 0)), "negative scores cannot be vote weights: choose softmax, sigmoid or rank")
        return x
    require(temperature > 0, f"temperature must be positive, got {temperature}")
    result = np.full(x.shape, np.nan)
    if transform == "sigmoid":
        result[there] = 1 / (1 + np.exp(-np.clip(x[there] / temperature, -700, 700)))
    elif transform == "softmax":
        powers = np.exp((x[there] - x[there].max(initial=-np.inf)) / temperature)
        result[there] = powers / powers.sum()
    else:
        _, inverse, level = np.unique(x[there], return_inverse=True, return_counts=True)
        result[there] = (np.cumsum(level) - level + (level + 1) / 2)[inverse]
    return result


def _ballots(
    answers: Sequence[Hashable | None],
    weights: Sequence[float | None] | ArrayLike,
    correct: Collection[Hashable] | Mapping[Hashable, float],
) -> Ballots:
    votes = np.array([math.nan if w is None else w for w in np.asarray(weights, dtype=object)], dtype=np.float64)
    require(votes.shape == (len(answers),), f"weights must hold one number a sample: {votes.size} for {len(answers)}")
    require(
        bool(np.all(votes[~np.isnan(votes)] >= 0)) and not bool(np.isinf(votes).any()),
        "vote weights must be finite and not negative: declare a transform (see vote_weights)",
    )
    names = {name: i for i, name in enumerate(dict.fromkeys(answer for answer in answers if answer is not None))}
    labels = np.array(
        [
            len(names) if answer is None or math.isnan(vote) else names[answer]
            for answer, vote in zip(answers, votes, strict=True)
        ],
        dtype=np.int64,
    )
    share = correct if isinstance(correct, Mapping) else dict.fromkeys(correct, 1.0)
    shares = np.array([float(share.get(name, 0.0)) for name in names])
    return Ballots(labels, np.where(labels < len(names), votes, 0.0), shares)


def ballots_of(answers: ArrayLike, weights: ArrayLike, correct: ArrayLike) -> Ballots:
    """Ballots of samples [n] with numbers of answers (negative: none), weights (NaN: no vote) and correctness.

    An answer's share correct is that of all its samples, whether they vote or not.
    """
    numbers, votes = np.asarray(answers, dtype=np.int64), np.asarray(weights, dtype=np.float64)
    there = numbers >= 0
    names, place = np.unique(numbers[there], return_inverse=True)
    labels = np.full(numbers.size, names.size, dtype=np.int64)
    labels[there] = place
    many = np.bincount(labels, minlength=names.size + 1)
    right = np.bincount(labels, weights=np.asarray(correct, dtype=np.float64), minlength=names.size + 1)
    labels[np.isnan(votes)] = names.size
    return Ballots(labels, np.where(labels < names.size, votes, 0.0), (right / np.maximum(many, 1))[:-1])


def _winner_shares(tally: FloatArray, drawn: BoolArray, shares: FloatArray) -> FloatArray:
    """Mean share correct [S] of the leading classes of each row of totals [S, m]; 0 where no class was drawn.

    A class that was `drawn` [S, m] with weights of 0 alone ties with others like it and loses to any other.
    """
    if shares.size == 0:
        return np.zeros(tally.shape[0])
    leads = drawn & (tally >= tally.max(axis=1, keepdims=True) * (1 - TIE_TOLERANCE))
    return np.asarray((leads @ shares) / np.maximum(leads.sum(axis=1), 1))


def _tallied(cells: IntArray, weights: FloatArray, size: int) -> tuple[FloatArray, BoolArray]:
    """Total weight of each of `size` cells, and whether anything fell into it."""
    tally = np.bincount(cells, weights=weights, minlength=size).astype(np.float64)
    return tally, np.asarray(np.bincount(cells, minlength=size) > 0 if not weights.all() else tally > 0)


def _few_subsets(n: int, k: int) -> bool:
    """Whether C(n, k) is at most MOST_SUBSETS, without its thousands of digits where it is not."""
    subsets = 1
    for i in range(min(k, n - k)):
        subsets = subsets * (n - i) // (i + 1)
        if subsets > MOST_SUBSETS:
            return False
    return True


def _enumerated(ballots: Ballots, k: int) -> float:
    """Mean over all k-subsets."""
    n, m = ballots.labels.size, ballots.shares.size
    total, subsets = 0.0, itertools.combinations(range(n), k)
    left = math.comb(n, k)
    while left:
        many = min(left, _CHUNK_SUBSETS)
        left -= many
        indices = itertools.chain.from_iterable(itertools.islice(subsets, many))
        rows = np.fromiter(indices, dtype=np.int64, count=many * k).reshape(many, k)
        cells = (ballots.labels[rows] + (m + 1) * np.arange(many)[:, None]).ravel()
        tally, drawn = _tallied(cells, ballots.weights[rows].ravel(), many * (m + 1))
        table = (many, m + 1)
        leaders = _winner_shares(tally.reshape(table)[:, :-1], drawn.reshape(table)[:, :-1], ballots.shares)
        total += float(leaders.sum())
    return total / math.comb(n, k)


@functools.lru_cache(maxsize=2)
def _counted_from(n: int, permutations: int, ks: tuple[int, ...]) -> IntArray:
    """For random orders [R, n]: the place among ks, ascending, of the first k that each sample's position is below.

    Order after order, K + 1 places each. The same for everybody who asks.
    """
    random = np.random.default_rng(0)
    added = np.searchsorted(np.array(ks), np.arange(n), side="right")
    first = (len(ks) + 1) * np.arange(permutations)
    return np.stack([added[random.permutation(n)] + place for place in first.tolist()])


def _simulated(ballots: Ballots, ks: IntArray, permutations: int, seed: int) -> FloatArray:
    """Correctness [R, K] of the winner among the first k of each random permutation; NaN for k > n.

    All problems share the orders, and the samples are shuffled beforehand by `seed`: with the orders s_r and the
    shuffles p_i independent and uniform, s_r p_i and s_q p_j are independent for (r, i) other than (q, j), so that
    errors of one problem, and of problems with other seeds, add up as those of independent draws.
    """
    n, m = ballots.labels.size, ballots.shares.size
    outcome = np.full((permutations, ks.size), np.nan)
    inside = np.flatnonzero(ks <= n)
    columns = inside[np.argsort(ks[inside], kind="stable")]
    if not columns.size:
        return outcome
    shuffled = np.random.default_rng([seed, 1]).permutation(n)
    labels, weights = ballots.labels[shuffled], ballots.weights[shuffled]
    weighty = bool(weights[labels < m].all())
    # A sample counts from the first k that reaches its position on: tallies are sums of what each k adds.
    places, width = _counted_from(n, permutations, tuple(ks[columns].tolist())), columns.size + 1
    step = max(1, _CHUNK_CELLS // max(n, (m + 1) * width))
    for start in range(0, permutations, step):
        here = places[start : start + step]
        orders = here.shape[0]
        at = (here + (labels * orders - start) * width).ravel()
        shape, size = (m + 1, orders, width), (m + 1) * orders * width
        tally = np.bincount(at, np.tile(weights, orders), size)
        drawn = tally > 0 if weighty else np.bincount(at, minlength=size) > 0
        sums = tally.reshape(shape)[:-1, :, :-1].cumsum(axis=2).transpose(1, 2, 0)
        there = np.logical_or.accumulate(drawn.reshape(shape)[:-1, :, :-1], axis=2).transpose(1, 2, 0)
        shares = _winner_shares(sums.reshape(-1, m), there.reshape(-1, m), ballots.shares)
        outcome[start : start + step, columns] = shares.reshape(-1, columns.size)
    return outcome


def weighted_majority_at_k(
    answers: Sequence[Hashable | None],
    weights: Sequence[float | None] | ArrayLike,
    correct: Collection[Hashable] | Mapping[Hashable, float],
    k: int,
    permutations: int = 1000,
    seed: int = 0,
) -> WeightedVote | None:
    """Weighted majority@k of one problem; None for k > n.

    answers [n] (None: invalid), weights [n] >= 0 (None or NaN: does not vote), correct: the correct answers, or each
    answer's share correct. Ties (within 1e-12 relative) split evenly. Enumerates when C(n, k) <= 200,000, else
    simulates, deterministic in `seed`.
    """
    ballots, budget = _ballots(answers, weights, correct), require_budget(k)
    if budget > len(answers):
        return None
    if _few_subsets(len(answers), budget):
        return WeightedVote(_enumerated(ballots, budget), 0.0, "enumeration", 0)
    require(permutations >= 2, "permutations must be at least 2")
    outcome = _simulated(ballots, np.array([budget]), permutations, seed)[:, 0]
    return WeightedVote(
        float(outcome.mean()), float(outcome.std(ddof=1) / math.sqrt(permutations)), "permutation", permutations
    )


def weighted_majority_curve(
    answers: Sequence[Hashable | None],
    weights: Sequence[float | None] | ArrayLike,
    correct: Collection[Hashable] | Mapping[Hashable, float],
    ks: ArrayLike,
    permutations: int = 1000,
    seed: int = 0,
) -> list[WeightedVote | None]:
    """weighted_majority_at_k at many ks; one set of permutations serves every k that is not enumerated."""
    return curve_of_ballots(_ballots(answers, weights, correct), ks, permutations, seed)


def curve_of_ballots(
    ballots: Ballots, ks: ArrayLike, permutations: int = 1000, seed: int = 0
) -> list[WeightedVote | None]:
    """weighted_majority_curve of ballots."""
    budgets, n = require_budgets(np.atleast_1d(np.asarray(ks))), ballots.labels.size
    require(permutations >= 2, "permutations must be at least 2")
    large = [k for k in budgets.tolist() if k <= n and not _few_subsets(n, k)]
    outcome = _simulated(ballots, np.array(large, dtype=np.int64), permutations, seed) if large else np.empty((2, 0))
    error = outcome.std(axis=0, ddof=1) / math.sqrt(permutations)
    simulated = {
        k: WeightedVote(float(outcome[:, i].mean()), float(error[i]), "permutation", permutations)
        for i, k in enumerate(large)
    }
    return [
        None if k > n else simulated.get(k) or WeightedVote(_enumerated(ballots, k), 0.0, "enumeration", 0)
        for k in budgets.tolist()
    ]
