"""Standard errors and intervals of a mean over problems, for one budget or for a whole curve.

Default interval: Wilson with effective size n_eff = max(P, m(1-m)/SE^2) and a t quantile with P-1 degrees of freedom.
SE 0 gives n_eff = P, so it is never [0, 0] or [1, 1]. Samples are never resampled inside a problem: that would turn
the unbiased estimator into a biased one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from store.analytics.portions import portions
from store.analytics.statistics.arguments import FloatArray, optional, require, require_level

Target = Literal["population", "fixed", "clustered"]

#: What a mean of equal numbers may be off by, relative to them.
ROUNDING = 16 * float(np.finfo(np.float64).eps)
_COLUMNS_AT_ONCE = 256


@dataclass(frozen=True)
class MeanWithError:
    """A mean over problems and its standard error; `clusters` only for the clustered error."""

    mean: float
    se: float | None
    problems: int
    clusters: int | None = None


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a mean over problems, with the effective size and t quantile it used."""

    lo: float
    hi: float
    n_eff: float
    t: float


def t_quantile(level: float, degrees: float) -> float:
    """Two-sided Student quantile: P(|T| <= t) = level; NaN without a degree of freedom."""
    require_level(level)
    return float(special.stdtrit(degrees, 0.5 + level / 2)) if degrees > 0 else float("nan")


def _values(values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    require(array.ndim == 1 and array.size > 0, "a mean over problems needs one value for each of at least one problem")
    require(not bool(np.isnan(array).any()), "a mean over problems takes no missing values: choose the problems first")
    return array


def population_error(values: ArrayLike) -> MeanWithError:
    """Error with the problems taken as a sample: sd(values, ddof 1)/sqrt(P), within and between (Miller 2411.00640).

    `values` [P] are per-problem estimates. se is None for a single problem.
    """
    x = _values(values)
    se = None if x.size < 2 else float(x.std(ddof=1) / np.sqrt(x.size))
    return MeanWithError(float(x.mean()), se, x.size)


def fixed_error(values: ArrayLike, within_variance: ArrayLike) -> MeanWithError:
    """Error for exactly these problems (noise of sampling only): sqrt(sum v_i)/P.

    `within_variance` [P] from pass_at_k_within_var; se is None where any of it is missing (needs 2k <= n).
    """
    x, v = _values(values), np.asarray(within_variance, dtype=np.float64)
    require(v.shape == x.shape, "values and within_variance must have one entry a problem each")
    return MeanWithError(float(x.mean()), optional(float(np.sqrt(v.sum()) / x.size)), x.size)


def clustered_error(values: ArrayLike, clusters: Sequence[object]) -> MeanWithError:
    """Error when problems come in clusters: sqrt(C/(C-1) sum_c (sum_{i in c} (x_i-m))^2)/P (Miller 2411.00640).

    `clusters` names the cluster of each problem. se is None for a single cluster.
    """
    x = _values(values)
    require(len(clusters) == x.size, f"clusters must name one cluster a problem: {len(clusters)} for {x.size}")
    number = {name: i for i, name in enumerate(dict.fromkeys(clusters))}
    members = np.array([number[name] for name in clusters])
    sums = np.bincount(members, weights=x - x.mean())
    count = len(number)
    se = None if count < 2 else float(np.sqrt(count / (count - 1) * np.sum(sums**2)) / x.size)
    return MeanWithError(float(x.mean()), se, x.size, count)


def wilson(mean: ArrayLike, n_eff: ArrayLike, quantile: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Wilson score limits of a share `mean` from `n_eff` effective trials at a normal or t quantile; broadcasts."""
    m, n, t = (np.asarray(part, dtype=np.float64) for part in (mean, n_eff, quantile))
    spread = t * t / n
    centre = (m + spread / 2) / (1 + spread)
    half = np.sqrt(spread * (m * (1 - m) + spread / 4)) / (1 + spread)
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)


def effective_size(mean: ArrayLike, se: ArrayLike, units: ArrayLike) -> FloatArray:
    """n_eff = max(P, m(1-m)/SE^2), and P where SE is 0; broadcasts.

    An error of no more than the mean's rounding is 0: equal problems have one, and their interval would have no width.
    """
    m, s, count = (np.asarray(part, dtype=np.float64) for part in (mean, se, units))
    with np.errstate(divide="ignore", invalid="ignore"):
        implied = np.where(s > ROUNDING * np.abs(m), m * (1 - m) / (s * s), 0.0)
    return np.where(np.isnan(s), np.nan, np.maximum(count, implied))


def wilson_interval(estimate: MeanWithError, level: float = 0.95) -> Interval | None:
    """Default interval of a coverage-like mean: Wilson with effective size and t; None where the error is missing.

    Degrees of freedom: problems - 1, or clusters - 1 for a clustered error.
    """
    units = estimate.problems if estimate.clusters is None else estimate.clusters
    if estimate.se is None or units < 2:
        require_level(level)
        return None
    t = t_quantile(level, units - 1)
    size = float(effective_size(estimate.mean, estimate.se, units))
    lo, hi = wilson(estimate.mean, size, t)
    return Interval(float(lo), float(hi), size, t)


def one_sided_lower(estimate: MeanWithError, level: float = 0.95) -> float | None:
    """Lower bound at one-sided `level` > 0.5: what to show near coverage 1, where no two-sided interval is honest."""
    require(0.5 < level < 1, f"a one-sided level must lie strictly between 0.5 and 1, got {level!r}")
    interval = wilson_interval(estimate, level=2 * level - 1)
    return None if interval is None else interval.lo


def max_t_quantile(values: FloatArray, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> float:
    """Critical value of a band over a whole curve: bootstrap of max_k |m*_k - m_k|/SE_k over problems.

    `values` [P, K] are per-problem estimates without missing entries. One matrix of problem draws serves all k. Never
    below the pointwise t quantile; that one too where no column varies. Deterministic in `seed`.
    """
    return max_t_quantiles([values], level, resamples, seed)[0]


def max_t_quantiles(
    curves: Sequence[FloatArray], level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> list[float]:
    """max_t_quantile of each of many curves [P, K]: those over as many problems share their draws and products."""
    found = [t_quantile(level, values.shape[0] - 1) for values in curves]
    varied = [_in_errors(values) for values in curves]
    for problems in sorted({part.shape[0] for part in varied if part.size}):
        draws = _problem_draws(problems, resamples, seed)
        alike = [place for place, part in enumerate(varied) if part.size and part.shape[0] == problems]
        for places in portions(((place, varied[place].shape[1]) for place in alike), _COLUMNS_AT_ONCE):
            parts = [varied[place] for place in places]
            starts = np.cumsum([0, *(part.shape[1] for part in parts[:-1])])
            largest = np.maximum.reduceat(np.abs(draws @ np.concatenate(parts, axis=1)), starts, axis=1)
            for place, quantile in zip(places, np.quantile(largest, level, axis=0).tolist(), strict=True):
                found[place] = max(found[place], quantile)
    return found


def _in_errors(values: FloatArray) -> FloatArray:
    """The columns [P, K'] that vary, less their mean, in standard errors of it and as shares of a mean over P."""
    problems = values.shape[0]
    if problems < 2:
        return np.zeros((problems, 0))
    error = values.std(axis=0, ddof=1) / np.sqrt(problems)
    there = error > 1e-12
    return np.asarray((values - values.mean(axis=0))[:, there] / (error[there] * problems))


@lru_cache(maxsize=4)
def _problem_draws(problems: int, resamples: int, seed: int) -> FloatArray:
    """How often each resample [R, P] draws each problem. Kept: comparing a hundred runs asks for the same each time."""
    draws = np.random.default_rng(seed).multinomial(problems, np.full(problems, 1 / problems), size=resamples)
    kept: FloatArray = draws.astype(np.float64)
    kept.setflags(write=False)
    return kept
