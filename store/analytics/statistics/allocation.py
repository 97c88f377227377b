"""Where the next sample should go, as pure functions: towards most solved per dollar, or towards a known tail."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from store.analytics.statistics.arguments import FloatArray, require, require_level, require_share
from store.analytics.statistics.bayes import log_beta_ratio


def _require_prior(alpha: float, beta: float, fails: int) -> None:
    require(alpha > 0 and beta > 0, "alpha and beta must be positive")
    require(fails >= 0, f"fails must not be negative, got {fails}")


def prob_solved_in_next(alpha: float, beta: float, fails: int, attempts: int) -> float:
    """Chance that one of the next `attempts` solves a problem unsolved after `fails`: 1 - B(a, b+n+m)/B(a, b+n)."""
    _require_prior(alpha, beta, fails)
    require(attempts >= 0, f"attempts must not be negative, got {attempts}")
    return -math.expm1(log_beta_ratio(alpha, beta + fails, attempts))


def hazard_next_attempt(alpha: float, beta: float, fails: int) -> float:
    """Chance a/(a+b+n) that the next attempt solves a problem unsolved after n fails; it falls with n.

    Hence, with one prior and one price, solving most per dollar is round-robin over unsolved problems.
    """
    _require_prior(alpha, beta, fails)
    return alpha / (alpha + beta + fails)


def solve_index(alpha: ArrayLike, beta: ArrayLike, fails: ArrayLike, cost: ArrayLike = 1.0) -> FloatArray:
    """Expected solves per dollar [P] of the next attempt at each unsolved problem: sample the largest first.

    Stop where it falls under the inverse of what a solve is worth in dollars.
    """
    a, b, n, price = (np.asarray(part, dtype=np.float64) for part in (alpha, beta, fails, cost))
    require(
        bool(np.all(a > 0) and np.all(b > 0) and np.all(n >= 0)), "alpha and beta must be positive, fails 0 or more"
    )
    require(bool(np.all(price > 0)), "cost must be positive")
    return np.asarray(a / ((a + b + n) * price))


def zero_success_upper_bound(n: int, level: float = 0.95) -> float | None:
    """Exact one-sided upper bound on p after n failures: 1 - (1-level)^(1/n), about 3/n; None for n = 0."""
    require_level(level)
    require(n >= 0, f"n must not be negative, got {n}")
    return -math.expm1(math.log1p(-level) / n) if n else None


@dataclass(frozen=True)
class Progress:
    """What a problem has had so far."""

    name: Hashable
    attempts: int
    successes: int


def dynamic_next_problem(problems: Sequence[Progress]) -> Hashable | None:
    """Next problem to sample to learn the tail: fewest successes, then fewest attempts, then first; None if empty.

    Kazdan et al. (arXiv 2510.05197), Algorithm 1.
    """
    return min(problems, key=lambda one: (one.successes, one.attempts)).name if problems else None


def neyman_allocation(p: ArrayLike, k: int, cost: ArrayLike = 1.0) -> FloatArray:
    """Shares [P] of a budget that best estimate coverage@k: proportional to sqrt(p (1-p)^(2k-1) / cost).

    Kazdan et al. (arXiv 2510.05197), theorem 1; p from a posterior. NaN throughout where no problem varies.
    """
    rate, price = np.asarray(p, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    require(bool(np.all((rate >= 0) & (rate <= 1))), "p must lie between 0 and 1")
    require(k >= 1, f"k must be at least 1, got {k}")
    require(bool(np.all(price > 0)), "cost must be positive")
    # In logarithms: (1-p)^(2k-1) underflows where k is large, for every problem at once perhaps.
    with np.errstate(divide="ignore"):
        log = 0.5 * (np.log(rate) + special.xlog1py(2 * k - 1, -rate) - np.log(price))
    if log.size == 0 or np.isneginf(log.max()):
        return np.full(log.shape, np.nan)
    shares = np.exp(log - log.max())
    return np.asarray(shares / shares.sum())


def leader_confidence(votes_first: int, votes_second: int) -> float:
    """Chance that the leading answer beats the runner-up: P(Beta(v1+1, v2+1) > 1/2) (Adaptive-Consistency)."""
    require(votes_first >= 0 and votes_second >= 0, "votes must not be negative")
    return float(special.betaincc(votes_first + 1, votes_second + 1, 0.5))


def window_agrees(answers: Sequence[Hashable | None]) -> bool:
    """Early stop of a vote: every answer of the latest window is valid and the same (Early-Stopping Consistency)."""
    return bool(answers) and answers[0] is not None and all(answer == answers[0] for answer in answers)


def stops(index: float, spent: float, value_per_solve: float, budget: float | None = None) -> str | None:
    """Why sampling a problem should stop: its index per dollar is under 1/value, or the budget is spent; else None."""
    require_share("index", index, 0.0, math.inf)
    require(value_per_solve > 0, "value_per_solve must be positive")
    if budget is not None and spent >= budget:
        return "the budget is spent"
    return "a solve is worth less than it costs" if index * value_per_solve < 1 else None
