"""How reliably k samples are correct together: pass^k, G-pass@k, mG-pass@k. All need k <= n, else they are missing."""

import math
from fractions import Fraction

import numpy as np

from store.analytics.statistics.arguments import (
    FloatArray,
    IntArray,
    InvalidStatisticArgument,
    count_statistic,
    require,
    require_budget,
    require_counts,
)
from store.analytics.statistics.coverage import log_fail


@count_statistic
def pass_hat_k(n: IntArray, c: IntArray, k: IntArray) -> FloatArray:
    """pass^k = C(c, k)/C(n, k): chance that all k samples are correct (tau-bench); None/NaN for k > n."""
    values = np.exp(log_fail(n, n - c, k, exact_tail=True))
    exact = (k == 1) & (n >= 1)
    values[exact] = c[exact] / n[exact]
    return np.asarray(values)


def _hypergeometric(n: int, c: int, k: int) -> tuple[IntArray, FloatArray]:
    """Support [J] and probabilities [J] of the correct ones among k of n samples, by ratios from the mode."""
    low, high = max(0, k - (n - c)), min(c, k)
    j = np.arange(low, high + 1)
    mode = min(max((k + 1) * (c + 1) // (n + 2), low), high)
    up, down = j[j < mode], j[j >= mode][:-1]
    rising = (up + 1.0) * (n - c - k + up + 1.0) / ((c - up) * (k - up).astype(np.float64))
    falling = (c - down) * (k - down).astype(np.float64) / ((down + 1.0) * (n - c - k + down + 1.0))
    weights = np.concatenate([np.cumprod(rising[::-1])[::-1], [1.0], np.cumprod(falling)])
    return j, weights / weights.sum()


def _checked(n: int, c: int, k: int) -> tuple[int, int, int]:
    samples, correct = require_counts(n, c)
    return int(samples), int(correct), require_budget(k)


def g_pass_at_k(n: int, c: int, k: int, tau: str | Fraction | int) -> float | None:
    """G-pass@k: chance that at least max(1, ceil(tau k)) of k samples are correct (arXiv 2412.13147); None for k > n.

    tau comes as decimal text or a Fraction: the ceiling of a float product could land one too high.
    """
    n, c, k = _checked(n, c, k)
    try:
        share = Fraction(str(tau))
    except (ValueError, ZeroDivisionError):
        raise InvalidStatisticArgument(f"tau must be a share such as 0.75 or 2/3, got {tau!r}") from None
    require(0 <= share <= 1, f"tau must lie between 0 and 1, got {tau}")
    if k > n:
        return None
    correct, probability = _hypergeometric(n, c, k)
    return float(probability[correct >= max(1, math.ceil(share * k))].sum())


def mg_pass_at_k(n: int, c: int, k: int) -> float | None:
    """mG-pass@k = (2/k) sum_{j>m} (j-m) P(X=j), m = ceil(k/2) (arXiv 2412.13147); None for k > n or k = 0."""
    n, c, k = _checked(n, c, k)
    if k > n or k == 0:
        return None
    correct, probability = _hypergeometric(n, c, k)
    return float(2.0 / k * (np.maximum(correct - (k + 1) // 2, 0) * probability).sum())
