"""Weighted majority vote over k samples: by enumeration where small, else by permutation prefixes with their error."""

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


def _enumerated(ballots: Ballots, k: int) -> float:
    """Mean over all k-subsets."""
    n, m = ballots.labels.size, ballots.shares.size
    total, subsets = 0.0, itertools.combinations(range(n), k)
    while chunk := list(itertools.islice(subsets, _CHUNK_SUBSETS)):
        rows = np.array(chunk, dtype=np.int64).reshape(len(chunk), k)
        cells = (ballots.labels[rows] + (m + 1) * np.arange(len(chunk))[:, None]).ravel()
        tally, drawn = _tallied(cells, ballots.weights[rows].ravel(), len(chunk) * (m + 1))
        table = (len(chunk), m + 1)
        leaders = _winner_shares(tally.reshape(table)[:, :-1], drawn.reshape(table)[:, :-1], ballots.shares)
        total += float(leaders.sum())
    return total / math.comb(n, k)


def _simulated(ballots: Ballots, ks: IntArray, permutations: int, seed: int) -> FloatArray:
    """Correctness [R, K] of the winner among the first k of each random permutation; NaN for k > n."""
    n, m = ballots.labels.size, ballots.shares.size
    random = np.random.default_rng(seed)
    outcome = np.full((permutations, ks.size), np.nan)
    columns = np.flatnonzero(ks <= n)
    for row in range(permutations):
        order = random.permutation(n)
        labels, weights = ballots.labels[order], ballots.weights[order]
        tallies = [_tallied(labels[:k], weights[:k], m + 1) for k in ks[columns].tolist()]
        if tallies:
            tally, drawn = np.stack([part for part, _ in tallies]), np.stack([part for _, part in tallies])
            outcome[row, columns] = _winner_shares(tally[:, :-1], drawn[:, :-1], ballots.shares)
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
    if math.comb(len(answers), budget) <= MOST_SUBSETS:
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
    ballots, budgets = _ballots(answers, weights, correct), require_budgets(np.atleast_1d(np.asarray(ks)))
    require(permutations >= 2, "permutations must be at least 2")
    n = len(answers)
    large = [k for k in budgets.tolist() if k <= n and math.comb(n, k) > MOST_SUBSETS]
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
