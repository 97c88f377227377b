"""Unbiased estimators of one problem: pass@k, its logarithm near 1, its variance, unjudged samples.

f_k(n, c) = C(n-c, k) / C(n, k) is the share of k-subsets of n judged samples that hold none of the c correct ones
(0 where n-c < k <= n). It is unbiased for (1-p)^k when n was fixed without looking at outcomes, and exists for no
k > n: there every statistic here is missing (None, or NaN inside arrays), never a number.
"""

import math
from dataclasses import dataclass

import numpy as np

from store.analytics.statistics.arguments import (
    FloatArray,
    IntArray,
    count_statistic,
    require,
    require_budgets,
    require_counts,
)

# Below exp(-40) the failure probability is under half a unit in the last place of 1.0: pass@k rounds to exactly 1.
LOG_NEGLIGIBLE = -40.0
_CHUNK_TERMS = 2_000_000
_ROWS_WORTH_A_TABLE = 8


def _sum_of_logs(n: IntArray, few: IntArray, many: IntArray) -> FloatArray:
    """sum_{i<few} log1p(-many/(n-i)) for flat arrays [M] with few + many <= n; chunked to bound memory."""
    result = np.zeros(n.shape)
    ends = np.cumsum(few)
    start = 0
    while start < n.size:
        before = ends[start] - few[start]
        stop = max(start + 1, int(np.searchsorted(ends, before + _CHUNK_TERMS, side="right")))
        counts = few[start:stop]
        rows = np.repeat(np.arange(start, stop), counts)
        i = np.arange(rows.size) - np.repeat(ends[start:stop] - counts - before, counts)
        # bincount adds in order; extended precision would buy nothing over at most a few thousand same-sign terms.
        terms = np.log1p(-many[rows] / (n[rows] - i))
        result[start:stop] = np.bincount(rows - start, weights=terms, minlength=stop - start)
        start = stop
    return result


def log_fail(n: IntArray, c: IntArray, k: IntArray, exact_tail: bool) -> FloatArray:
    """ln f_k over flat arrays; NaN for k > n, -inf where f_k = 0 (or, without `exact_tail`, where it is negligible)."""
    result = np.full(n.shape, np.nan)
    inside = k <= n
    few, many = np.minimum(c, k), np.maximum(c, k)
    result[inside] = -np.inf
    result[inside & (few == 0)] = 0.0
    open_ = inside & (few > 0) & (n - c >= k)
    if not exact_tail:
        # ln f_k <= -c k / n, so whatever lies beyond needs no sum; it also bounds the terms by sqrt(40 n).
        open_ &= few * (many / np.maximum(n, 1)) <= -LOG_NEGLIGIBLE
    result[open_] = _sum_of_logs(n[open_], few[open_], many[open_])
    return result


@count_statistic
def log_fail_at_k(n: IntArray, c: IntArray, k: IntArray) -> FloatArray:
    """Natural log of f_k(n, c), for coverage so near 1 that pass@k rounds to 1; -inf where no k-subset fails.

    Scalars give float | None (None for k > n); arrays broadcast and hold NaN there. Unbiased f_k: Chen et al. 2021
    (arXiv 2107.03374). Raises InvalidStatisticArgument for negative numbers or c > n.
    """
    return log_fail(n, c, k, exact_tail=True)


@count_statistic
def pass_at_k(n: IntArray, c: IntArray, k: IntArray) -> FloatArray:
    """Unbiased pass@k = 1 - C(n-c, k)/C(n, k): chance that k samples hold a correct one.

    Scalars give float | None (None for k > n); arrays broadcast and hold NaN there. Chen et al. 2021
    (arXiv 2107.03374), summed as -expm1(sum log1p) in min(c, k) terms. Raises InvalidStatisticArgument for c > n.
    """
    single = k == 1
    values = -np.expm1(log_fail(n, c, k, exact_tail=False))
    exact = single & (n >= 1)
    values[exact] = c[exact] / n[exact]
    return np.asarray(values + 0.0)  # no negative zero


@count_statistic
def pass_at_k_within_var(n: IntArray, c: IntArray, k: IntArray) -> FloatArray:
    """Unbiased variance of the pass@k estimator of one fixed problem: f_k^2 - f_2k, never negative.

    Needs 2k <= n, else None (NaN in arrays): from fewer samples it cannot be estimated.
    """
    double = np.expm1(2.0 * log_fail(n, c, k, exact_tail=True)) - np.expm1(log_fail(n, c, 2 * k, exact_tail=True))
    return np.where(2 * k <= n, np.maximum(double, 0.0), np.nan)


@count_statistic
def pass_at_k_plugin_biased(n: IntArray, c: IntArray, k: IntArray) -> FloatArray:
    """The plug-in 1-(1-c/n)^k, biased low (n=100, c=1, k=100: 0.634 for 1.0): to show the bias, never as coverage."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(n > 0, np.where(k > 0, -np.expm1(k * np.log1p(-c / n)), 0.0), np.nan))


@dataclass(frozen=True)
class UnverifiedPassAtK:
    """pass@k when some samples have no verdict: each field a probability, or None where k exceeds what it counts."""

    lower: float | None
    upper: float | None
    mar: float | None


def pass_at_k_unverified(passed: int, failed: int, unverified: int, k: int) -> UnverifiedPassAtK:
    """pass@k with unjudged samples all wrong (lower), all correct (upper), or missing at random and left out (mar)."""
    for name, count in (("passed", passed), ("failed", failed), ("unverified", unverified)):
        require(count >= 0, f"{name} must not be negative, got {count}")
    drawn = passed + failed + unverified
    return UnverifiedPassAtK(
        lower=pass_at_k(drawn, passed, k),
        upper=pass_at_k(drawn, passed + unverified, k),
        mar=pass_at_k(passed + failed, passed, k),
    )


def randomized_pass_at_k(n: int, c: int, k: float) -> float | None:
    """pass@k at a fractional budget: the policy that draws floor(k) or ceil(k), hence linear between the two."""
    require(math.isfinite(k) and k >= 0, f"k must be a number of at least 0, got {k!r}")
    floor = math.floor(k)
    low = pass_at_k(n, c, floor)
    if floor == k or low is None:
        return low
    high = pass_at_k(n, c, floor + 1)
    return None if high is None else low + (k - floor) * (high - low)


def _table_rows(n: int, c: IntArray, ks: IntArray) -> FloatArray:
    """pass@k for problems [M] that share n, at ks [K]: one running sum over i per k serves every c at once."""
    values = np.empty((c.size, ks.size))
    reach = int(c.max(initial=0))
    for column, k in enumerate(ks.tolist()):
        # prod_{i<c} (1 - k/(n-i)) holds for every c <= n-k; stop where it is negligible or c is largest.
        stop = min(reach, n - k, math.ceil(-LOG_NEGLIGIBLE * n / k)) if k else 0
        terms = np.log1p(-k / (n - np.arange(stop, dtype=np.float64)))
        log_fail = np.full(reach + 1, -np.inf)
        log_fail[0] = 0.0
        log_fail[1 : stop + 1] = np.cumsum(terms, dtype=np.longdouble)
        if k == 0:
            log_fail[:] = 0.0
        values[:, column] = c / n if k == 1 else -np.expm1(log_fail)[c]
    return values + 0.0


def pass_at_k_grid(n: IntArray, c: IntArray, ks: IntArray) -> FloatArray:
    """pass@k of problems [P] at budgets [K] as a matrix [P, K]; NaN where k > n.

    Works on the distinct (n, c) pairs; those that share n share one table per k, so P hardly matters.
    """
    samples, correct = require_counts(np.atleast_1d(n), np.atleast_1d(c))
    budgets = require_budgets(np.atleast_1d(ks))
    span = int(samples.max(initial=0)) + 1
    pairs, back = np.unique(samples * span + correct, return_inverse=True)
    sizes, counts = np.divmod(pairs, span)
    grid = np.full((pairs.size, budgets.size), np.nan)
    distinct, rows_each = np.unique(sizes, return_counts=True)
    shared = distinct[rows_each >= _ROWS_WORTH_A_TABLE]
    for size in shared.tolist():
        rows, columns = np.flatnonzero(sizes == size), np.flatnonzero(budgets <= size)
        grid[np.ix_(rows, columns)] = _table_rows(size, counts[rows], budgets[columns])
    lone = ~np.isin(sizes, shared)
    grid[lone] = pass_at_k(sizes[lone][:, None], counts[lone][:, None], budgets[None, :])
    return np.asarray(grid[back])
