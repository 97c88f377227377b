"""The laws that coverage may follow beyond n, fitted alike, and how far each misses on the very counts at hand."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from store.analytics.statistics.arguments import FloatArray, IntArray, require, require_counts
from store.analytics.statistics.coverage import pass_at_k_grid
from store.analytics.statistics.power_law import FitSpace, PowerLawFit, fit_budgets, fit_power_law
from store.analytics.statistics.success_models import (
    BetaBinomialFit,
    count_table,
    fit_beta_binomial,
    fit_zero_inflated,
)

LawFit = PowerLawFit | BetaBinomialFit
LAWS = ("power_law_log", "power_law_coverage", "power_law_log_log", "beta_binomial", "zero_inflated")


DEFAULT_LAWS = ("power_law_log", "power_law_coverage", "beta_binomial", "zero_inflated")


@dataclass(frozen=True)
class Backtest:
    """Errors of a law that sees the counts thinned to `thinned_n` and predicts coverage at `n`, over `repeats` draws.

    mean_error: signed (positive: too high); mean_absolute_error; both in coverage, 0 to 1.
    """

    thinned_n: int
    n: int
    repeats: int
    mean_error: float
    mean_absolute_error: float


@dataclass(frozen=True)
class FitData:
    """Counts [P] with the coverage grid [P, J] at the ks used for fitting."""

    n: IntArray
    c: IntArray
    ks: IntArray
    grid: FloatArray


def fit_data(n: IntArray, c: IntArray) -> FitData:
    ks = fit_budgets(int(n.min()))
    return FitData(n, c, ks, pass_at_k_grid(n, c, ks))


def fit_law(law: str, data: FitData, weight: FloatArray, near: BetaBinomialFit | None = None) -> LawFit | None:
    """Fit one law to the problems with these weights."""
    if law.startswith("power_law_"):
        space: FitSpace = law.removeprefix("power_law_")  # type: ignore[assignment]
        return fit_power_law(data.ks, weight @ data.grid / weight.sum(), space)
    table = count_table(data.n, data.c, weight)
    if law == "zero_inflated":
        return fit_zero_inflated(table, near)
    return fit_beta_binomial(table, (near.alpha, near.beta) if near else None)


def law_curve(fit: LawFit, ks: IntArray) -> FloatArray:
    if isinstance(fit, BetaBinomialFit):
        return np.array([fit.pass_at_k(k) for k in ks.tolist()])
    return np.asarray(fit.pass_at_k(ks))


def law_parameters(fit: LawFit) -> dict[str, float]:
    names = ("alpha", "beta", "impossible", "neg_loglik") if isinstance(fit, BetaBinomialFit) else ("a", "b")
    return {name: float(getattr(fit, name)) for name in names}


def thinned_counts(n: ArrayLike, c: ArrayLike, size: int, seed: int = 0) -> IntArray:
    """Correct ones [P] among a random `size` of each problem's samples, drawn without replacement."""
    samples, correct = require_counts(np.atleast_1d(np.asarray(n)), np.atleast_1d(np.asarray(c)))
    require(1 <= size <= int(samples.min(initial=size)), f"size must lie between 1 and the least n, got {size}")
    return np.asarray(np.random.default_rng(seed).hypergeometric(correct, samples - correct, size), dtype=np.int64)


def backtest(law: str, n: ArrayLike, c: ArrayLike, repeats: int = 8, seed: int = 0) -> Backtest | None:
    """How far the law misses on these very counts: thin to n/10, predict coverage at n.

    A warning, not an oracle: choosing the law with the smallest error gains nothing. None where n/10 < 2 or a thinning
    leaves no success to fit.
    """
    require(law in LAWS, f"law must be one of {', '.join(LAWS)}, got {law!r}")
    samples, correct = require_counts(np.atleast_1d(np.asarray(n)), np.atleast_1d(np.asarray(c)))
    least = int(samples.min()) if samples.size else 0
    small = least // 10
    if small < 2:
        return None
    truth = float(np.nanmean(pass_at_k_grid(samples, correct, np.array([least]))))
    errors = []
    for repeat in range(repeats):
        thin = thinned_counts(samples, correct, small, seed + repeat)
        data = fit_data(np.full(thin.size, small), thin)
        fit = fit_law(law, data, np.ones(thin.size))
        if fit is not None:
            errors.append(float(law_curve(fit, np.array([least]))[0]) - truth)
    if not errors:
        return None
    return Backtest(small, least, len(errors), float(np.mean(errors)), float(np.mean(np.abs(errors))))
