"""Expected samples and dollars when a problem is dropped at its first verified success."""

import math

import numpy as np
from numpy.typing import ArrayLike

from store.analytics.statistics.arguments import (
    FloatArray,
    IntArray,
    count_statistic,
    optional,
    require,
    require_budget,
    require_counts,
)
from store.analytics.statistics.coverage import log_fail_at_k, pass_at_k


@count_statistic
def expected_attempts(n: IntArray, c: IntArray, k: IntArray) -> FloatArray:
    """Expected samples drawn when stopping at the first verified success, at most k: sum_{j<k} f_j.

    Equals ((n+1) - (n+1-k) f_k)/(c+1); unbiased for k <= n+1, else None (NaN in arrays).
    """
    fail = np.exp(log_fail_at_k(n, c, np.minimum(k, n)))
    rest = np.where(k <= n, (n + 1 - k) * fail, 0.0)
    return np.where(k <= n + 1, (n + 1 - rest) / (c + 1), np.nan)


def expected_attempts_batched(n: int, c: int, k: int, batch: int) -> float | None:
    """Expected samples when drawn in requests of `batch` until one holds a success, at most k: sum size x f_start.

    None where the last request would start beyond n. Raises InvalidStatisticArgument for batch < 1.
    """
    require_counts(n, c)
    require(batch >= 1, f"batch must be at least 1, got {batch}")
    starts = np.arange(0, require_budget(k), batch)
    sizes = np.minimum(batch, k - starts)
    return optional(float(sizes @ np.exp(log_fail_at_k(n, c, starts))))


def _mean_draws(others: int, successes: int, k: int) -> float:
    """S(M, s, k) = ((M+1) - (M+1-k) C(M-s, k)/C(M, k))/(s+1), for k <= M+1."""
    value = expected_attempts(others, successes, k)
    return math.nan if value is None else value


def expected_cost_to_first_success(costs: ArrayLike, success: ArrayLike, k: int) -> float | None:
    """Expected dollars when stopping at the first verified success, at most k samples; None for k > n.

    costs, success [n]: dollars and 0/1 of each sample; handles failures that cost more. Exact over all orders:
    E$ = (1/n)[cost of failures x S(n-1, c, k) + cost of successes x S(n-1, c-1, k)].
    """
    dollars, solved = np.asarray(costs, dtype=np.float64), np.asarray(success)
    require(dollars.ndim == 1 and dollars.shape == solved.shape, "costs and success must hold one entry a sample each")
    require(bool(np.isin(solved, (0, 1)).all()), "success must be 0 or 1 for every sample")
    n, c, budget = dollars.size, int(solved.sum()), require_budget(k)
    if budget > n:
        return None
    if n == 0:
        return 0.0
    failing, winning = float(dollars[solved == 0].sum()), float(dollars[solved == 1].sum())
    total = failing * _mean_draws(n - 1, c, budget) if c < n else 0.0
    total += winning * _mean_draws(n - 1, c - 1, budget) if c > 0 else 0.0
    return total / n


def coverage_at_cost(
    n: ArrayLike, c: ArrayLike, ks: ArrayLike, unit_cost: ArrayLike = 1.0
) -> tuple[FloatArray, FloatArray]:
    """Round-robin over problems [P], dropping solved ones: expected cost [K] and problems solved [K] after k rounds.

    unit_cost: dollars a sample, one number or [P] (1: cost is counted in samples). NaN where any problem has n < k.
    """
    samples, correct = require_counts(np.atleast_1d(n), np.atleast_1d(c))
    budgets = np.atleast_1d(np.asarray(ks))[None, :]
    attempts = expected_attempts(samples[:, None], correct[:, None], budgets)
    solved = pass_at_k(samples[:, None], correct[:, None], budgets)
    attempts = np.where(np.isnan(solved), np.nan, attempts)
    price = np.broadcast_to(np.asarray(unit_cost, dtype=np.float64), samples.shape)
    return price @ attempts, solved.sum(axis=0)
