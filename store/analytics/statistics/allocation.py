"""Where the next sample should go: store.allocation, and its indexes for many problems at once."""

import numpy as np
from numpy.typing import ArrayLike

from store import allocation
from store.allocation import (
    Progress,
    dynamic_next_problem,
    hazard_next_attempt,
    leader_confidence,
    prob_solved_in_next,
    stops,
    window_agrees,
    zero_success_upper_bound,
)
from store.analytics.statistics.arguments import FloatArray, require

__all__ = [
    "Progress",
    "dynamic_next_problem",
    "hazard_next_attempt",
    "leader_confidence",
    "neyman_allocation",
    "prob_solved_in_next",
    "solve_index",
    "stops",
    "window_agrees",
    "zero_success_upper_bound",
]


def solve_index(alpha: ArrayLike, beta: ArrayLike, fails: ArrayLike, cost: ArrayLike = 1.0) -> FloatArray:
    """Expected solves per dollar [P] of the next attempt at each unsolved problem; store.allocation.solve_index."""
    a, b, n, price = (np.asarray(part, dtype=np.float64) for part in (alpha, beta, fails, cost))
    require(
        bool(np.all(a > 0) and np.all(b > 0) and np.all(n >= 0)), "alpha and beta must be positive, fails 0 or more"
    )
    require(bool(np.all(price > 0)), "cost must be positive")
    return np.asarray(a / ((a + b + n) * price))


def neyman_allocation(p: ArrayLike, k: int, cost: ArrayLike = 1.0) -> FloatArray:
    """Shares [P] of a budget that best estimate coverage@k; NaN throughout where no problem varies.

    Kazdan et al. (arXiv 2510.05197), theorem 1: proportional to sqrt(p (1-p)^(2k-1) / cost).
    """
    rate = np.atleast_1d(np.asarray(p, dtype=np.float64))
    price = np.broadcast_to(np.asarray(cost, dtype=np.float64), rate.shape)
    shares = allocation.neyman_shares(rate.tolist(), k, price.tolist())
    return np.full(rate.shape, np.nan) if shares is None else np.array(shares)
