"""Binomial probabilities to nearly full precision (Loader's saddle-point form), where log-gammas lose digits."""

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from store.analytics.statistics.arguments import FloatArray, IntArray

NEGLIGIBLE = 1e-16  # probability mass that sums over outcomes may leave out
_EXACT_BELOW = 16


def _stirling_errors(size: int) -> FloatArray:
    """ln n! - ln(sqrt(2 pi n) (n/e)^n) for n = 0..size-1, taken as 0 for n = 0; exact below 16, then the series."""
    n = np.maximum(np.arange(size, dtype=np.longdouble), 1)
    square = 1 / (n * n)
    series = (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - square / 1188) * square) * square) * square) / n
    small = n[:_EXACT_BELOW]
    logs = np.concatenate([[0], np.cumsum(np.log(small[1:]))])
    series[:_EXACT_BELOW] = logs - (0.5 * np.log(2 * np.longdouble(np.pi) * small) + small * np.log(small) - small)
    series[0] = 0
    return np.asarray(series, dtype=np.float64)


@functools.lru_cache(maxsize=32)
def _error_table(bits: int) -> FloatArray:
    return _stirling_errors(1 << bits)


def binomial_pmf(x: ArrayLike, n: ArrayLike, p: float | FloatArray) -> FloatArray:
    """Binomial probabilities of whole numbers x out of n, 0 outside 0..n; needs 0 < p < 1, broadcasts (Loader 2000)."""
    draws, trials = np.asarray(x), np.asarray(n)
    errors = _error_table(max(int(trials.max(initial=0)), _EXACT_BELOW).bit_length())
    hit = np.clip(draws, 0, trials)
    miss = trials - hit
    # With d = hit - np the two deviances share +-d, which cancels; what is left is exact to d rounding units.
    mean = np.maximum(trials, 1) * p
    excess = np.where(trials > 0, hit - mean, 0.0)
    rest = np.maximum(trials, 1) * (1 - p)
    log = errors[trials] - errors[hit] - errors[miss]
    log = log - special.xlog1py(hit, excess / mean) - special.xlog1py(miss, -excess / rest)
    middle = hit * miss
    width = np.where(middle > 0, trials / (2 * np.pi * np.maximum(middle, 1)), 1.0)
    return np.asarray(np.where(hit == draws, np.sqrt(width) * np.exp(log), 0.0))


def deviance(x: NDArray[Any], mean: NDArray[Any]) -> FloatArray:
    """x ln(x/mean) + mean - x for x, mean > 0: exp(-deviance) bounds a tail of that mean (Chernoff)."""
    excess = (x - mean) / mean
    return np.asarray(mean * ((1 + excess) * np.log1p(excess) - excess))


def likely_range(n: int, p: float) -> tuple[int, int]:
    """Range low..high of Bin(n, p) outside which less than the negligible mass lies."""
    mean, spread = n * p, np.sqrt(n * p * (1 - p))
    low, high = max(0, int(mean - 10 * spread - 30)), min(n, int(mean + 10 * spread + 60))
    candidates: IntArray = np.arange(low, high + 1)
    kept = np.flatnonzero(binomial_pmf(candidates, n, p) > NEGLIGIBLE)
    return low + int(kept[0]), low + int(kept[-1])
