"""The power law of repeated sampling, ln coverage = a k^b (Brown et al. 2407.21787), and the ways to fit it.

Named fits: `log` least squares in ln coverage, as the published parameters were found; `coverage` least squares in
coverage itself; `log_log` a straight line through ln(-ln coverage).
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from store.analytics.statistics.arguments import FloatArray, IntArray, require

FitSpace = Literal["log", "coverage", "log_log"]
_EXPONENTS = np.linspace(-3.0, 0.5, 141)


@dataclass(frozen=True)
class PowerLawFit:
    """Parameters of ln coverage = a k^b, the space they were fitted in, and the largest |curve - fit|."""

    a: float
    b: float
    space: FitSpace
    max_residual: float

    def pass_at_k(self, k: ArrayLike) -> FloatArray:
        """Modelled coverage at any k."""
        return power_law(self.a, self.b, k)


def power_law(a: float, b: float, k: ArrayLike) -> FloatArray:
    """exp(a k^b) at budgets k >= 1, in the shape of k."""
    budgets = np.asarray(k, dtype=np.float64)
    require(bool(np.all(budgets >= 1)), "the power law starts at k = 1")
    return np.asarray(np.exp(a * budgets**b))


def power_law_required_k(a: float, b: float, target: float) -> float | None:
    """Budget at which exp(a k^b) reaches `target`: (ln target / a)^(1/b), fractional.

    Below 1 where one sample gives more than that. None where no k >= 1 reaches it: target 1, or a curve that does not
    rise (1 where that one starts high enough).
    """
    require(0 < target <= 1, f"target must lie in (0, 1], got {target}")
    if (a >= 0 or b >= 0) and math.exp(min(a, 0.0)) >= target:
        return 1.0
    if target == 1 or b >= 0:
        return None
    try:
        return math.pow(math.log(target) / a, 1 / b)
    except OverflowError:
        return None


def fit_budgets(n: int, points: int = 40) -> IntArray:
    """The k of the published recipe: `points` log-spaced whole numbers from 1 to n, without repeats."""
    require(n >= 1, f"n must be at least 1, got {n}")
    return np.unique(np.logspace(0, math.log10(n), points).astype(np.int64).clip(1, n))


def fit_power_law(ks: ArrayLike, coverage: ArrayLike, space: FitSpace = "log") -> PowerLawFit | None:
    """Fit ln coverage = a k^b to a curve [K]; None with fewer than two usable points or no coverage at all.

    Points of coverage 0 have no logarithm and are left out, as are those of 1 in `log_log`.
    """
    require(space in get_args(FitSpace), f"space must be one of {', '.join(get_args(FitSpace))}, got {space!r}")
    k, c = np.asarray(ks, dtype=np.float64), np.asarray(coverage, dtype=np.float64)
    require(k.ndim == 1 and k.shape == c.shape, "ks and coverage must have one entry a point each")
    require(bool(np.all(k >= 1)), "the power law starts at k = 1")
    keep = (c > 0) & (c < 1) if space == "log_log" else (c > 0) & (c <= 1)
    if np.unique(k[keep]).size < 2 or bool(np.all(c[keep] == 1)):
        return None
    a, b = {"log": _fit_log, "coverage": _fit_coverage, "log_log": _fit_log_log}[space](k[keep], c[keep])
    return PowerLawFit(a, b, space, float(np.max(np.abs(c - np.exp(a * k**b)))))


def _slope(k: FloatArray, y: FloatArray, b: float) -> tuple[float, float]:
    """Best a for y = a k^b at a given exponent, and the squares left over."""
    power = k**b
    a = float(power @ y / (power @ power))
    return a, float(np.sum((y - a * power) ** 2))


def _fit_log(k: FloatArray, c: FloatArray) -> tuple[float, float]:
    """a follows linearly from b, so the search is over b alone: a grid, then Brent's method in its best cell."""
    y = np.log(c)
    powers = k[None, :] ** _EXPONENTS[:, None]
    slopes = powers @ y / (powers**2).sum(axis=1)
    left = ((y - slopes[:, None] * powers) ** 2).sum(axis=1)
    best = int(np.argmin(left))
    low, high = _EXPONENTS[max(best - 1, 0)], _EXPONENTS[min(best + 1, _EXPONENTS.size - 1)]
    found = optimize.minimize_scalar(
        lambda b: _slope(k, y, b)[1], bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    )
    return _slope(k, y, float(found.x))[0], float(found.x)


def _fit_log_log(k: FloatArray, c: FloatArray) -> tuple[float, float]:
    x, y = np.log(k), np.log(-np.log(c))
    b = float(np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2))
    return -math.exp(float(y.mean() - b * x.mean())), b


def _fit_coverage(k: FloatArray, c: FloatArray) -> tuple[float, float]:
    """Levenberg-Marquardt in ln(-a) and b from the fit in logarithms."""
    a, b = _fit_log(k, c)

    def residuals(x: FloatArray) -> FloatArray:
        return np.asarray(np.exp(-math.exp(min(x[0], 600.0)) * k ** min(x[1], 2.0)) - c)

    found = optimize.least_squares(
        residuals, [math.log(max(-a, 1e-12)), b], method="lm", xtol=1e-13, ftol=1e-13, gtol=1e-13
    )
    return -math.exp(min(float(found.x[0]), 600.0)), min(float(found.x[1]), 2.0)
