"""Coverage of a set of problems: the macro mean of pass@k, with its policy for unequal n and its intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from store.analytics.statistics.arguments import (
    FloatArray,
    IntArray,
    optional,
    require,
    require_budgets,
    require_counts,
    require_level,
)
from store.analytics.statistics.coverage import pass_at_k, pass_at_k_grid, pass_at_k_within_var
from store.analytics.statistics.intervals import (
    MeanWithError,
    Target,
    clustered_error,
    effective_size,
    fixed_error,
    max_t_quantile,
    population_error,
    wilson,
)

Policy = Literal["strict", "complete_case", "bounds"]


@dataclass(frozen=True)
class Coverage:
    """Coverage at one k. `value` is None (see `reason`) where undefined; `lower`/`upper` bracket it under `bounds`."""

    k: int
    policy: Policy
    value: float | None
    lower: float | None
    upper: float | None
    problems: int
    problems_used: int
    largest_k: int
    reason: str | None


@dataclass(frozen=True)
class CoverageCurve:
    """Coverage at budgets `ks` [K]; every array is [K], NaN where undefined (never a number for k > n).

    value: coverage; standard_error, low, high: interval over problems (Wilson, effective n, t); band_low, band_high:
    simultaneous band over all k, NaN unless asked for; lower, upper: what unequal n leaves open (equal to value but
    under `bounds`); problems_used: problems in the mean; largest_k: largest k that every problem has samples for.
    """

    policy: Policy
    level: float
    ks: IntArray
    value: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray
    band_low: FloatArray
    band_high: FloatArray
    lower: FloatArray
    upper: FloatArray
    effective_problems: FloatArray
    problems_used: IntArray
    problems: int
    largest_k: int


def _require_policy(policy: str) -> None:
    require(policy in get_args(Policy), f"policy must be one of {', '.join(get_args(Policy))}, got {policy!r}")


def _require_problems(n: ArrayLike, c: ArrayLike) -> tuple[IntArray, IntArray]:
    samples, correct = require_counts(n, c)
    require(samples.ndim == 1 and samples.shape == correct.shape, "n and c must hold one number a problem each")
    return samples, correct


def mean_curve(
    values: FloatArray, level: float = 0.95
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean, standard error, Wilson limits and effective size down the columns of `values` [P, K], skipping NaN.

    A column without a problem gives NaN throughout, one with a single problem a mean without error.
    """
    require_level(level)
    there = ~np.isnan(values)
    used = there.sum(axis=0)
    filled = np.where(there, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = filled.sum(axis=0) / used
        squares = np.where(there, (filled - mean) ** 2, 0.0).sum(axis=0)
        error = np.where(used > 1, np.sqrt(squares / (used - 1) / used), np.nan)
        size = effective_size(mean, error, used)
        t = special.stdtrit(np.maximum(used - 1, 1), 0.5 + level / 2)
        low, high = wilson(np.clip(mean, 0.0, 1.0), size, t)
    return mean, error, low, high, size


def coverage_curve(
    n: ArrayLike,
    c: ArrayLike,
    ks: ArrayLike,
    policy: Policy = "strict",
    level: float = 0.95,
    band: bool = False,
    seed: int = 0,
) -> CoverageCurve:
    """Coverage (macro mean of unbiased pass@k, Chen et al. 2107.03374) of problems n, c [P] at budgets ks [K].

    Unequal n: `strict` is missing where any problem has n < k; `complete_case` averages those with n >= k (the set of
    problems then changes along the curve); `bounds` brackets by pass@min(n, k) below and 1 above, its interval running
    from the lower limit below to the upper limit above. `band` adds a simultaneous band over the ks (max-t problem
    bootstrap, deterministic in `seed`). Raises InvalidStatisticArgument for bad counts, budgets, policy or level.
    """
    _require_policy(policy)
    samples, correct = _require_problems(n, c)
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    return curve_of_grid(
        pass_at_k_grid(samples, correct, budgets), samples, correct, budgets, policy, level, band, seed
    )


def curve_of_grid(
    grid: FloatArray,
    n: IntArray,
    c: IntArray,
    ks: IntArray,
    policy: Policy,
    level: float,
    band: bool,
    seed: int,
) -> CoverageCurve:
    """The curve over a ready matrix [P, K] of per-problem estimates, NaN where a problem has none."""
    complete = ~np.isnan(grid).any(axis=0) & (n.size > 0)
    value, error, low, high, size = mean_curve(grid, level)
    lower, upper = value.copy(), value.copy()
    used = (~np.isnan(grid)).sum(axis=0)
    if policy == "bounds" and n.size:
        floor = np.where(np.isnan(grid), pass_at_k(n, c, n)[:, None], grid)
        lower, _, low, _, _ = mean_curve(floor, level)
        upper, _, _, high, _ = mean_curve(np.where(np.isnan(grid), 1.0, grid), level)
    if policy != "complete_case":
        for part in (value, error, size) if policy == "bounds" else (value, error, size, low, high, lower, upper):
            part[~complete] = np.nan
    band_low, band_high = np.full((2, ks.size), np.nan)
    if band and complete.any() and n.size > 1:
        quantile = max_t_quantile(grid[:, complete], level, seed=seed)
        band_low[complete], band_high[complete] = wilson(value[complete], size[complete], quantile)
    largest = int(n.min(initial=np.iinfo(np.int64).max)) if n.size else 0
    return CoverageCurve(
        policy, level, ks, value, error, low, high, band_low, band_high, lower, upper, size, used, n.size, largest
    )


def coverage(n: ArrayLike, c: ArrayLike, k: int, policy: Policy = "strict") -> Coverage:
    """Coverage at one k (see coverage_curve); `reason` says why `value` is None."""
    curve = coverage_curve(n, c, [k], policy)
    value, lower, upper = (optional(float(part[0])) for part in (curve.value, curve.lower, curve.upper))
    reason = None
    if value is None:
        short = curve.problems - int(curve.problems_used[0])
        reason = (
            f"{short} of {curve.problems} problems have fewer than {k} judged samples; the largest k for all is "
            f"{curve.largest_k}"
            if curve.problems
            else "there are no problems"
        )
    return Coverage(
        int(curve.ks[0]),
        policy,
        value,
        lower,
        upper,
        curve.problems,
        int(curve.problems_used[0]),
        curve.largest_k,
        reason,
    )


def coverage_error(
    n: ArrayLike, c: ArrayLike, k: int, target: Target = "population", clusters: Sequence[object] | None = None
) -> MeanWithError | None:
    """Coverage@k and its standard error for a target; None where any problem has n < k or there is none.

    population: problems are a sample; fixed: these very problems (se None unless 2k <= n for all); clustered: needs
    `clusters`, one name a problem.
    """
    require(target in get_args(Target), f"target must be one of {', '.join(get_args(Target))}, got {target!r}")
    samples, correct = _require_problems(n, c)
    values = pass_at_k_grid(samples, correct, require_budgets([k]))[:, 0]
    if values.size == 0 or np.isnan(values).any():
        return None
    if target == "fixed":
        return fixed_error(values, pass_at_k_within_var(samples, correct, k))
    if target == "clustered":
        require(clusters is not None, "the clustered error needs the cluster of each problem")
        return clustered_error(values, clusters or ())
    return population_error(values)


@dataclass(frozen=True)
class UnverifiedCurves:
    """Coverage when verdicts are missing: unjudged samples wrong (lower), correct (upper), at random (mar)."""

    lower: CoverageCurve
    upper: CoverageCurve
    mar: CoverageCurve


def coverage_curves_unverified(
    passed: ArrayLike,
    failed: ArrayLike,
    unverified: ArrayLike,
    ks: ArrayLike,
    policy: Policy = "strict",
    level: float = 0.95,
) -> UnverifiedCurves:
    """The three curves for problems [P] whose samples are partly unjudged; never one number that hides them."""
    drawn = np.asarray(passed) + np.asarray(failed) + np.asarray(unverified)
    return UnverifiedCurves(
        lower=coverage_curve(drawn, passed, ks, policy, level),
        upper=coverage_curve(drawn, np.asarray(passed) + np.asarray(unverified), ks, policy, level),
        mar=coverage_curve(np.asarray(passed) + np.asarray(failed), passed, ks, policy, level),
    )
