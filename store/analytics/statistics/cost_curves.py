"""Cost per solved problem, a ratio of sums over problems, with its uncertainty; for one budget and for a curve."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from store.analytics.statistics.arguments import (
    FloatArray,
    IntArray,
    require,
    require_budgets,
    require_counts,
    require_level,
)
from store.analytics.statistics.coverage import pass_at_k_grid
from store.analytics.statistics.intervals import t_quantile


@dataclass(frozen=True)
class CostPerSolved:
    """Total dollars, expected number of problems solved (not a whole number), and their ratio (None if none)."""

    total_usd: float
    expected_solved: float
    usd_per_solved: float | None


def cost_per_solved(total_usd: float, expected_solved: float) -> CostPerSolved:
    """Cost per solved problem: ratio of the sums over problems, never the mean of per-problem ratios."""
    require(total_usd >= 0 and expected_solved >= 0, "cost and number of solved problems must not be negative")
    return CostPerSolved(total_usd, expected_solved, total_usd / expected_solved if expected_solved > 0 else None)


def campaign_cost_per_solved(
    problems: int, attempts_per_problem: float, usd_per_attempt: float, solved_share: float
) -> CostPerSolved:
    """Cost per solved of a campaign that gives every problem the same attempts, as Brown et al.'s Table 1 does."""
    require(0 <= solved_share <= 1, f"solved_share must lie between 0 and 1, got {solved_share}")
    return cost_per_solved(problems * attempts_per_problem * usd_per_attempt, problems * solved_share)


@dataclass(frozen=True)
class RatioInterval:
    """Ratio of sums, its delta-method standard error, Fieller's and the bootstrap's limits; None where undefined."""

    ratio: float | None
    delta_se: float | None
    fieller: tuple[float, float] | None
    bootstrap: tuple[float, float] | None


def ratio_interval(
    cost: ArrayLike, solved: ArrayLike, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> RatioInterval:
    """sum(cost)/sum(solved) over problems [P] with its uncertainty over problems.

    solved may be expected shares. Fieller's interval uses t_{P-1} and is None when the denominator's interval includes
    0; the problem bootstrap is None when more resamples than its tail solve nothing, and with resamples=0.
    Deterministic in `seed`.
    """
    x, y = np.asarray(cost, dtype=np.float64), np.asarray(solved, dtype=np.float64)
    require(x.ndim == 1 and x.shape == y.shape, "cost and solved must hold one number a problem each")
    require(bool(np.isfinite(x).all() and np.isfinite(y).all()), "cost and solved must be finite")
    require_level(level)
    if x.size == 0 or y.sum() <= 0:
        return RatioInterval(None, None, None, None)
    ratio = float(x.sum() / y.sum())
    if x.size < 2:
        return RatioInterval(ratio, None, None, None)
    delta = float((x - ratio * y).std(ddof=1) / math.sqrt(x.size) / y.mean())
    return RatioInterval(ratio, delta, _fieller(x, y, level), _bootstrap_ratio(x, y, level, resamples, seed))


def _fieller(x: FloatArray, y: FloatArray, level: float) -> tuple[float, float] | None:
    """Roots of (mean x - r mean y)^2 = t^2 var(mean x - r mean y)."""
    t = t_quantile(level, x.size - 1)
    (vxx, vxy), (_, vyy) = np.cov(x, y) / x.size
    a = y.mean() ** 2 - t * t * vyy
    if a <= 0:
        return None
    b = x.mean() * y.mean() - t * t * vxy
    c = x.mean() ** 2 - t * t * vxx
    root = math.sqrt(max(b * b - a * c, 0.0))
    return float((b - root) / a), float((b + root) / a)


def _bootstrap_ratio(
    x: FloatArray, y: FloatArray, level: float, resamples: int, seed: int
) -> tuple[float, float] | None:
    if resamples == 0:
        return None
    weights = np.random.default_rng(seed).multinomial(x.size, np.full(x.size, 1 / x.size), size=resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        solved = weights @ y
        ratios = np.where(solved > 0, (weights @ x) / solved, np.inf)
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return None if math.isinf(high) else (float(low), float(high))


@dataclass(frozen=True)
class CostCurve:
    """Cost of k samples for every problem, by ks [K]; arrays [K], NaN where undefined.

    total_usd; expected_solved; usd_per_solved with Fieller limits low and high (NaN where the interval has no end).
    """

    ks: IntArray
    total_usd: FloatArray
    expected_solved: FloatArray
    usd_per_solved: FloatArray
    low: FloatArray
    high: FloatArray


def cost_per_solved_curve(
    n: ArrayLike, c: ArrayLike, unit_cost: ArrayLike, ks: ArrayLike, level: float = 0.95
) -> CostCurve:
    """Cost per solved when every problem [P] gets k samples at `unit_cost` [P] dollars each (a problem's mean).

    NaN where any problem has n < k or nothing is solved. Fieller's limits over problems, t_{P-1}.
    """
    samples, correct = require_counts(np.atleast_1d(n), np.atleast_1d(c))
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    price = np.broadcast_to(np.asarray(unit_cost, dtype=np.float64), samples.shape)
    require(bool(np.all(price >= 0)), "unit_cost must be a number of at least 0 for every problem")
    grid = pass_at_k_grid(samples, correct, budgets)
    missing = np.isnan(grid).any(axis=0) | (samples.size == 0)
    solved = np.where(missing, np.nan, grid.sum(axis=0))
    total = np.where(missing, np.nan, price.sum() * budgets)
    limits = np.full((2, budgets.size), np.nan)
    for column, k in enumerate(budgets.tolist()):
        if solved[column] > 0 and samples.size > 1:
            limits[:, column] = _fieller(price * k, grid[:, column], level) or (np.nan, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(solved > 0, total / solved, np.nan)
    return CostCurve(budgets, total, solved, ratio, limits[0], limits[1])
