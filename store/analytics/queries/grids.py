"""Per-problem matrices [P, K] behind curves, made for all runs at once: problems of one n share their tables.

The numbers are those of `store.analytics.statistics`; this is the form that stays instant over a hundred runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.analytics.queries.counts import ProblemCounts
from store.analytics.statistics.coverage import pass_at_k_grid
from store.analytics.statistics.designs import design_grid
from store.analytics.statistics.intervals import t_quantile

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class CostGrids:
    """One run's matrices [P, K]: pass@k, expected attempts, and the draws of a wrong and of a right sample."""

    solved: FloatArray
    attempts: FloatArray
    wrong_draws: FloatArray
    right_draws: FloatArray


def solved_grids(counts: Sequence[ProblemCounts], ks: IntArray) -> Iterator[FloatArray]:
    """pass@k of each run's problems [P, K] under its design; NaN where there is no estimate."""
    fixed = [one for one in counts if one.fixed]
    n, c = (np.concatenate([getattr(one, name) for one in fixed] or [np.zeros(0, np.int64)]) for name in ("n", "c"))
    ready = _parts(fixed, pass_at_k_grid(n, c, ks))
    for one in counts:
        yield next(ready) if one.fixed else design_grid(one.design, one.n, one.c, ks)


def cost_grids(counts: Sequence[ProblemCounts], ks: IntArray) -> Iterator[CostGrids]:
    """The matrices of each run's cost curve."""
    n, c = (np.concatenate([getattr(one, name) for one in counts]) for name in ("n", "c"))
    others = np.maximum(n - 1, 0)
    solved = pass_at_k_grid(n, c, ks)
    # Both have one n: together they need each of its tables once.
    wrong, right = np.split(
        attempts_grid(np.tile(others, 2), np.concatenate([np.minimum(c, others), np.maximum(c - 1, 0)]), ks), 2
    )
    whole = (solved, _attempts(n, c, ks, solved), wrong, right)
    for parts in zip(*(_parts(counts, grid) for grid in whole), strict=True):
        yield CostGrids(*parts)


def _parts(counts: Sequence[ProblemCounts], grid: FloatArray) -> Iterator[FloatArray]:
    ends = np.cumsum([one.n.size for one in counts])
    yield from (grid[end - one.n.size : end] for one, end in zip(counts, ends, strict=True))


def attempts_grid(n: IntArray, c: IntArray, ks: IntArray) -> FloatArray:
    """Expected attempts [P, K] up to the first success, at most k; NaN for k > n+1.

    Equal to statistics.attempts.expected_attempts.
    """
    return _attempts(n, c, ks, pass_at_k_grid(n, c, ks))


def _attempts(n: IntArray, c: IntArray, ks: IntArray, solved: FloatArray) -> FloatArray:
    """attempts_grid from pass@k [P, K]."""
    samples, correct, budget = n[:, None], c[:, None], ks[None, :]
    rest = np.where(budget == samples + 1, 0.0, (samples + 1 - budget) * (1.0 - solved))
    return np.asarray((samples + 1 - rest) / (correct + 1))


def fieller_limits(price: FloatArray, solved: FloatArray, ks: IntArray, level: float = 0.95) -> FloatArray:
    """Limits [2, K] of sum(price k)/sum(solved) over problems, price [P] and solved [P, K]; NaN where unbounded.

    Equal to statistics.cost_curves.ratio_interval(price * k, solved[:, k]).fieller, for all k at once.
    """
    size = price.size
    if size < 2:
        return np.full((2, ks.size), np.nan)
    t2 = t_quantile(level, size - 1) ** 2
    mean_x, mean_y = price.mean() * ks, solved.mean(axis=0)
    x, y = price - price.mean(), solved - mean_y
    scale = size * (size - 1)
    a = mean_y**2 - t2 * (y * y).sum(axis=0) / scale
    b = mean_x * mean_y - t2 * ks * (x @ y) / scale
    c = mean_x**2 - t2 * ks**2 * float(x @ x) / scale
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(np.maximum(b * b - a * c, 0.0))
        limits = np.stack([(b - root) / a, (b + root) / a])
    return np.asarray(np.where(a > 0, limits, np.nan))
