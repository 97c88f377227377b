"""Forecasts of coverage beyond the samples there are: laws side by side, their track record, an honest interval.

No law wins in general, and "impossible" cannot be told from "hard" by zero counts. So every forecast carries the
extrapolation ratio k/n, the error of each law in a backtest on the same counts (thinned to n/10, predicting n), and an
interval that joins the problem bootstrap of every law with the spread between laws. Without any success there is only a
bound.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from store.analytics.statistics.allocation import zero_success_upper_bound
from store.analytics.statistics.arguments import (
    FloatArray,
    IntArray,
    require,
    require_budgets,
    require_counts,
    require_level,
)
from store.analytics.statistics.laws import (
    DEFAULT_LAWS,
    LAWS,
    Backtest,
    FitData,
    LawFit,
    backtest,
    fit_data,
    fit_law,
    law_curve,
    law_parameters,
)
from store.analytics.statistics.success_models import BetaBinomialFit


@dataclass(frozen=True)
class LawForecast:
    """One law: parameters, forecast coverage and bootstrap limits [K], largest misfit at k <= n, and its backtest."""

    law: str
    parameters: dict[str, float]
    value: FloatArray
    low: FloatArray
    high: FloatArray
    max_residual: float
    backtest: Backtest | None


@dataclass(frozen=True)
class Forecast:
    """Forecast coverage at budgets ks [K], NaN beyond the horizon.

    ratio: k/n; low, high: bootstrap limits of all laws joined; refused: why there is no forecast (then laws is empty);
    rate_bound: with no success at all, the one-sided 95 % bound on the mean success rate; n: samples that every problem
    has; horizon: largest k forecast.
    """

    ks: IntArray
    ratio: FloatArray
    laws: tuple[LawForecast, ...]
    low: FloatArray
    high: FloatArray
    n: int
    horizon: int
    level: float
    refused: str | None
    rate_bound: float | None


def _refused(n: IntArray, c: IntArray) -> tuple[str | None, float | None]:
    """Why these counts cannot be forecast, and the bound that holds instead."""
    if n.size == 0 or int(n.min()) < 1:
        return "every problem needs at least one judged sample", None
    if not c.any():
        bound = zero_success_upper_bound(int(n.sum()))
        return f"no sample of {int(n.sum())} succeeded: only a bound on the success rate is known", bound
    if bool(np.all(c > 0)) and bool(np.all(c == n)):
        return "every sample succeeded: coverage is 1 at any k", None
    if int(n.min()) < 2:
        return "a curve needs at least two samples of every problem", None
    return None, None


def _bootstrap(law: str, data: FitData, near: LawFit, ks: IntArray, weights: FloatArray, level: float) -> FloatArray:
    """Percentile limits [2, K] of the law over resampled problems; resamples that cannot be fitted are left out."""
    start = near if isinstance(near, BetaBinomialFit) else None
    curves = []
    for weight in weights if data.n.size > 1 else ():
        fit = fit_law(law, data, weight, start)
        if fit is not None:
            curves.append(law_curve(fit, ks))
    if len(curves) < 2:
        return np.full((2, ks.size), np.nan)
    return np.asarray(np.quantile(np.stack(curves), [(1 - level) / 2, (1 + level) / 2], axis=0))


def forecast_coverage(
    n: ArrayLike,
    c: ArrayLike,
    ks: ArrayLike,
    laws: tuple[str, ...] = DEFAULT_LAWS,
    horizon_ratio: float = 10.0,
    resamples: int = 100,
    backtest_repeats: int = 8,
    level: float = 0.95,
    seed: int = 0,
) -> Forecast:
    """Forecast coverage at budgets ks from counts n, c [P] (fixed n; n may be one number); see the module.

    ks beyond horizon_ratio x n give NaN. resamples: problem bootstraps a law (0: no interval but the spread of laws).
    Deterministic in `seed`. A law that cannot be fitted is left out.
    """
    counts = require_counts(np.atleast_1d(np.asarray(n)), np.atleast_1d(np.asarray(c)))
    samples, correct = np.broadcast_arrays(*counts)
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    require(bool(np.all(budgets >= 1)), "forecasts start at k = 1")
    require(horizon_ratio > 0, f"horizon_ratio must be positive, got {horizon_ratio}")
    require(all(law in LAWS for law in laws) and bool(laws), f"laws must be some of {', '.join(LAWS)}")
    require_level(level)
    least = int(samples.min()) if samples.size else 0
    refused, bound = _refused(samples, correct)
    horizon = math.floor(horizon_ratio * least)
    ratio = budgets / least if least else np.full(budgets.size, np.nan)
    empty = np.full(budgets.size, np.nan)
    if refused:
        return Forecast(budgets, ratio, (), empty, empty.copy(), least, horizon, level, refused, bound)
    data = fit_data(samples, correct)
    draws = np.random.default_rng(seed).multinomial(samples.size, np.full(samples.size, 1 / samples.size), resamples)
    weights = draws.astype(np.float64)
    found = [_law_forecast(law, data, budgets, budgets <= horizon, weights, level) for law in laws]
    ready = tuple(_with_backtest(law, samples, correct, backtest_repeats, seed) for law in found if law is not None)
    if not ready:
        reason = "no law could be fitted to these counts: they are no more spread than one success rate for all gives"
        return Forecast(budgets, ratio, (), empty, empty.copy(), least, horizon, level, reason, None)
    # One problem says nothing of the spread between problems: no interval rather than one without width.
    low, high = _joined(ready) if samples.size > 1 else (empty, empty.copy())
    return Forecast(budgets, ratio, ready, low, high, least, horizon, level, None, None)


def _law_forecast(
    law: str, data: FitData, ks: IntArray, inside: NDArray[np.bool_], weights: FloatArray, level: float
) -> LawForecast | None:
    fit = fit_law(law, data, np.ones(data.n.size))
    if fit is None or (isinstance(fit, BetaBinomialFit) and fit.at_boundary):
        return None
    value, limits = np.full(ks.size, np.nan), np.full((2, ks.size), np.nan)
    value[inside] = law_curve(fit, ks[inside])
    limits[:, inside] = _bootstrap(law, data, fit, ks[inside], weights, level)
    residual = float(np.max(np.abs(data.grid.mean(axis=0) - law_curve(fit, data.ks))))
    return LawForecast(law, law_parameters(fit), value, limits[0], limits[1], residual, None)


def _with_backtest(one: LawForecast, n: IntArray, c: IntArray, repeats: int, seed: int) -> LawForecast:
    record = backtest(one.law, n, c, repeats, seed) if repeats else None
    return LawForecast(one.law, one.parameters, one.value, one.low, one.high, one.max_residual, record)


def _joined(laws: tuple[LawForecast, ...]) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest of all values and bootstrap limits [K]; NaN only where there is no value."""
    lows = np.stack([np.fmin(law.low, law.value) for law in laws])
    highs = np.stack([np.fmax(law.high, law.value) for law in laws])
    return np.fmin.reduce(lows), np.fmax.reduce(highs)
