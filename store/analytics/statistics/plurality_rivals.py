"""Classes that contend for a plurality, how many votes each may get, and what may be neglected of them."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import FloatArray, IntArray
from store.analytics.statistics.binomial import binomial_pmf
from store.analytics.statistics.plurality import tie_nodes

NEGLIGIBLE = 1e-16  # chance of winning that may be left out at a time; the bounds on it are far from tight
TINY = 1e-300
DEGREES = np.arange(48)  # ties
NODES = np.arange(1, 25)[:, None]


@dataclass(frozen=True)
class Contenders:
    """Classes whose chance to win is asked for [R], each with its rivals [R, B], largest first, padded with zeros.

    n: samples of its problem, invalid ones included; own: its samples; size and many: samples of a rival, and rivals
    of that size.
    """

    n: IntArray
    own: IntArray
    size: IntArray
    many: IntArray


@dataclass(frozen=True)
class VotesOfRivals:
    """Chances of votes on the axis [..., B, S], largest classes first; samples [R, B] that they hold in each row."""

    chance: FloatArray
    many: IntArray
    samples: IntArray
    beyond: FloatArray

    def held(self, front: int) -> IntArray:
        """Samples [R] of the first `front`."""
        return np.asarray(self.samples[:, :front].sum(axis=1))

    @functools.cached_property
    def behind(self) -> FloatArray:
        """P(X <= t), kept off zero; 1 for what only pads."""
        return np.where(self.chance.any(axis=-1, keepdims=True), np.maximum(self.chance.cumsum(axis=-1), TINY), 1.0)

    @functools.cached_property
    def tail(self) -> FloatArray:
        """At least P(X >= t)."""
        return np.asarray(self.chance[..., ::-1].cumsum(axis=-1)[..., ::-1] + self.beyond[..., None])


def reach(passes: NDArray[np.bool_]) -> IntArray:
    """Of rivals that may pass [B, S]: how many of the first of them cover those at t and later [S]."""
    last = np.where(passes, np.arange(1, passes.shape[0] + 1)[:, None], 0).max(axis=0, initial=0)
    return np.asarray(np.maximum.accumulate(last[::-1])[::-1])


@functools.cache
def quadrature_errors() -> FloatArray:
    """|integral - sum over N nodes| of (y - 1/2)^d over [0, 1], for N = 1.. and d = 0..; 0 where N nodes are exact."""
    exact = np.where(DEGREES % 2 == 0, 0.5**DEGREES / (DEGREES + 1), 0.0)
    errors = np.empty((NODES.size, DEGREES.size))
    for row, error in enumerate(errors):
        y, share = tie_nodes(2 * row)
        error[:] = np.abs(((y[:, None] - 0.5) ** DEGREES * share[:, None]).sum(axis=0) - exact)
        error[: 2 * row + 2] = 0
    return errors


def fewest_votes(size: IntArray, p: FloatArray) -> IntArray:
    """Fewest votes that Bin(size, p) gives but for a negligible chance."""
    mean = size * p
    fewest: IntArray = np.maximum(np.floor(mean - 9.2 * np.sqrt(mean * (1 - p)) - 1), 0).astype(np.int64)
    return fewest


def binomials(size: IntArray, p: FloatArray, axis: IntArray) -> FloatArray:
    """Binomial probabilities [..., S] along consecutive numbers: one by Loader's form, the others by their ratios."""
    start = np.clip(fewest_votes(size, p), axis[0], axis[-1])
    ratio = np.maximum(size[..., None] - axis + 1, 0) * ((p / (1 - p))[..., None] / np.maximum(axis, 1))
    ratio = np.where(axis > start[..., None], ratio, 1.0)
    chance = np.cumprod(ratio, axis=-1)
    chance *= binomial_pmf(start, size, p)[..., None]
    chance *= axis >= start[..., None]
    return np.asarray(chance)
