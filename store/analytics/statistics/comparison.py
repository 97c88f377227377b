"""Paired comparison of two runs on the problems they share."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from store.analytics.statistics.arguments import FloatArray, IntArray, require, require_budgets, require_level
from store.analytics.statistics.coverage import pass_at_k_grid
from store.analytics.statistics.intervals import clustered_error, max_t_quantiles, population_error, t_quantile

MOST_EXACT_FLIPS = 20


@dataclass(frozen=True)
class PairedDifference:
    """Mean of a - b over shared problems; errors None for one problem, corr None where either side does not vary."""

    mean: float
    se: float | None
    unpaired_se: float | None
    corr: float | None
    problems: int


def paired_difference(a: ArrayLike, b: ArrayLike, clusters: Sequence[object] | None = None) -> PairedDifference:
    """Paired difference of per-problem values a, b [P] (Miller 2411.00640); clustered if `clusters` names them."""
    x, y = _pair(a, b)
    d = x - y
    estimate = population_error(d) if clusters is None else clustered_error(d, clusters)
    if x.size < 2:
        return PairedDifference(estimate.mean, None, None, None, x.size)
    varied = bool(np.ptp(x) > 0 and np.ptp(y) > 0)
    return PairedDifference(
        mean=estimate.mean,
        se=estimate.se,
        unpaired_se=float(math.sqrt((x.var(ddof=1) + y.var(ddof=1)) / x.size)),
        corr=float(np.corrcoef(x, y)[0, 1]) if varied else None,
        problems=x.size,
    )


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    require(x.ndim == 1 and x.shape == y.shape and x.size > 0, "a and b must hold one value a shared problem each")
    require(
        not bool(np.isnan(x).any() or np.isnan(y).any()), "a and b take no missing values: keep shared problems only"
    )
    return x, y


@dataclass(frozen=True)
class SharedProblems:
    """Values of the problems that both runs have, and how many problems only one has (dropped, never imputed)."""

    names: tuple[Hashable, ...]
    a: FloatArray
    b: FloatArray
    only_a: int
    only_b: int


def shared_problems(a: Mapping[Hashable, float], b: Mapping[Hashable, float]) -> SharedProblems:
    """Align two runs by problem name, in the order of `a`."""
    names = tuple(name for name in a if name in b)
    return SharedProblems(
        names,
        np.array([a[name] for name in names], dtype=np.float64),
        np.array([b[name] for name in names], dtype=np.float64),
        len(a) - len(names),
        len(b) - len(names),
    )


@dataclass(frozen=True)
class DifferenceCurve:
    """Coverage difference a - b by ks [K] on shared problems; arrays [K], NaN where either has a problem with n < k.

    low, high: pointwise t interval; band_low, band_high: over all ks at once, both within [-1, 1], where every
    difference lies; p, holm_p: two-sided t test, plain and with Holm's correction over the ks.
    """

    ks: IntArray
    mean: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    band_low: FloatArray
    band_high: FloatArray
    p: FloatArray
    holm_p: FloatArray
    problems: int


def difference_curve(
    n_a: ArrayLike, c_a: ArrayLike, n_b: ArrayLike, c_b: ArrayLike, ks: ArrayLike, level: float = 0.95, seed: int = 0
) -> DifferenceCurve:
    """Curve of paired coverage differences over shared problems [P], in the same order on both sides."""
    require_level(level)
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    a, b = (
        pass_at_k_grid(np.atleast_1d(np.asarray(n)), np.atleast_1d(np.asarray(c)), budgets)
        for n, c in ((n_a, c_a), (n_b, c_b))
    )
    return difference_of_grids(a, b, budgets, level, seed)


def difference_of_grids(
    a: FloatArray, b: FloatArray, ks: IntArray, level: float = 0.95, seed: int = 0
) -> DifferenceCurve:
    """difference_curve from ready per-problem estimates [P, K] of two runs, NaN where a problem has none."""
    return differences_of_grids([(a, b)], ks, level, seed)[0]


def differences_of_grids(
    pairs: Sequence[tuple[FloatArray, FloatArray]], ks: IntArray, level: float = 0.95, seed: int = 0
) -> list[DifferenceCurve]:
    """difference_of_grids of many pairs of runs, whose bands are made together."""
    for a, b in pairs:
        require(a.shape == b.shape and a.shape[0] > 0, "both runs must hold the same, at least one, shared problems")
    differences = [a - b for a, b in pairs]
    # Without a second problem nothing varies, and a budget that any problem lacks has no estimate.
    known = [~np.isnan(d).any(axis=0) & (d.shape[0] > 1) for d in differences]
    bands = max_t_quantiles([d[:, there] for d, there in zip(differences, known, strict=True)], level, seed=seed)
    return [_difference(d, ks, there, band, level) for d, there, band in zip(differences, known, bands, strict=True)]


def _difference(d: FloatArray, ks: IntArray, known: NDArray[np.bool_], band: float, level: float) -> DifferenceCurve:
    """The curve of differences d [P, K], `known` where it has an error, with the critical value of its band."""
    mean, problems = d.mean(axis=0), d.shape[0]
    se = d.std(axis=0, ddof=1) / math.sqrt(problems) if problems > 1 else np.full(ks.size, np.nan)
    t = t_quantile(level, problems - 1)
    p = _t_test(mean, se, problems - 1)
    holm_p = np.full(ks.size, np.nan)
    holm_p[known] = holm(p[known])
    # Few problems have a large t quantile: it says no more than that any difference is possible.
    low, high, band_low, band_high = np.clip(mean + np.outer([-t, t, -band, band], se), -1.0, 1.0)
    return DifferenceCurve(ks, mean, se, low, high, band_low, band_high, p, holm_p, problems)


def _t_test(mean: FloatArray, se: FloatArray, degrees: int) -> FloatArray:
    """Two-sided p values of mean = 0; without any variation 1 where the mean is 0, else 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(se > 0, np.abs(mean) / se, np.where(mean == 0, 0.0, np.inf))
    tail = 2 * special.stdtr(max(degrees, 1), -statistic)
    return np.where(np.isnan(se), np.nan, tail)


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided exact McNemar p of 0/1 outcomes: problems that only a and only b solved; 1 without any."""
    require(only_a >= 0 and only_b >= 0, "discordant counts must not be negative")
    return min(1.0, 2 * float(special.bdtr(min(only_a, only_b), only_a + only_b, 0.5))) if only_a + only_b else 1.0


def sign_flip_permutation_p(diffs: ArrayLike, permutations: int = 100_000, seed: int = 0) -> float:
    """Two-sided sign-flip p of mean difference 0, the observed flip included.

    All 2^P flips for up to 20 differences (zeros change nothing and are left out), else `permutations` random ones.
    """
    d = np.asarray(diffs, dtype=np.float64)
    require(d.ndim == 1 and not bool(np.isnan(d).any()), "diffs must be a list of numbers")
    d = d[d != 0]
    seen = abs(d.sum()) * (1 - 1e-12)
    if d.size <= MOST_EXACT_FLIPS:
        sums = np.zeros(1)
        for step in d:
            sums = np.concatenate([sums + step, sums - step])
        return float(np.mean(np.abs(sums) >= seen))
    random = np.random.default_rng(seed)
    hits = 0
    for start in range(0, permutations, 10_000):
        signs = random.integers(0, 2, size=(min(10_000, permutations - start), d.size)) * 2 - 1
        hits += int(np.sum(np.abs(signs @ d) >= seen))
    return (hits + 1) / (permutations + 1)


def holm(p_values: ArrayLike) -> FloatArray:
    """Holm-adjusted p values, in the given order."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1.0)
    result = np.empty_like(p)
    result[order] = adjusted
    return result
