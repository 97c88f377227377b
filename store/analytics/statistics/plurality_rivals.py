"""Classes that contend for a plurality, how many votes each may get, and what may be neglected of them."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import BoolArray, FloatArray, IntArray
from store.analytics.statistics.binomial import binomial_pmf
from store.analytics.statistics.plurality import tie_nodes

NEGLIGIBLE = 1e-11  # chance of winning that may be left out at a time; the bounds on it are far from tight
TINY = 1e-300
_DEGREES = np.arange(48)  # ties
_NODES = 24
_RATES = 2.0 ** np.arange(-14, 7, 0.25)  # of ties, rounded up to one of these
_PARTS = 4
_PIECE = 250_000  # multiplications
_ORDERS = (1, 4)  # summations by parts: few where the angle is small, several where it is not
_EXPONENT = 36.0  # windows leave out chances below exp(-36) on either side


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

    def only(self, rows: IntArray | BoolArray) -> "Contenders":
        """Those rows."""
        return Contenders(self.n[rows], self.own[rows], self.size[rows], self.many[rows])

    def distinct(self) -> tuple["Contenders", IntArray]:
        """Each different row once, and where every row is among them [R]."""
        first, place = different(self.n, self.own, *self.size.T, *self.many.T)
        return self.only(first), place


@dataclass(frozen=True)
class Windows:
    """Chances [U, W] of `low` [U], low + 1, ... votes, from Bin(size, p) [U]; what lies outside is negligible."""

    low: IntArray
    chance: FloatArray

    @functools.cached_property
    def behind(self) -> FloatArray:
        """P(X <= t) [U, W + 2] for t = low - 1, low, ..., then 1 for all beyond; kept off zero."""
        sums = np.cumsum(self.chance, axis=1)
        edge = np.ones((self.low.size, 1))
        return np.asarray(np.maximum(np.concatenate([0 * edge, sums, edge], axis=1), TINY))

    @functools.cached_property
    def tail(self) -> FloatArray:
        """P(X >= t) [U, W + 2] for the same t, then 0 for all beyond."""
        sums = np.cumsum(self.chance[:, ::-1], axis=1)[:, ::-1]
        edge = np.ones((self.low.size, 1))
        return np.concatenate([edge, sums, 0 * edge], axis=1)

    def log_sizes(self, places: IntArray, gaps: FloatArray) -> FloatArray:
        """Bounds [G, V] on ln |sum_{s<t} b(s) z^s + y b(t) z^t| for 0 <= y <= 1 and |1 - z| >= gaps [G].

        places [V]: where in `behind` (flat) t is. Summing by parts m times, with D b(s) = b(s) - b(s-1),

            |sum_{s<=t} b(s) z^s| <= sum_{i<m} |D^i b(t)| / |1 - z|^(i+1) + sum_{s<=t} |D^m b(s)| / |1 - z|^m;

        what ends with y b(t) lies between the sums up to t - 1 and up to t.
        """
        part = np.pad(self.chance, ((0, 0), (1, 1)))
        # What ends at t or at t - 1 is asked for, most of it by two: each is worked off once.
        before = np.where(places % part.shape[1] > 0, places - 1, places)
        asked = np.zeros(part.size, dtype=bool)
        asked[places] = asked[before] = True
        place = np.cumsum(asked) - 1
        ends, sums = [], []
        for order in range(1, _PARTS + 1):
            ends.append(np.abs(part.ravel()[asked]))
            part = np.diff(part, axis=1, prepend=0)
            if order in _ORDERS:
                sums.append(np.cumsum(np.abs(part), axis=1).ravel()[asked])
        result = np.empty((gaps.size, places.size))
        for row, gap in zip(result, gaps.tolist(), strict=True):
            bound = np.full(place[-1] + 1 if place.size else 0, np.inf)
            for order, left in zip(_ORDERS, sums, strict=True):
                for end in reversed(ends[:order]):
                    left = (left + end) / gap
                bound = np.minimum(bound, left)
            np.maximum(bound[place[places]], bound[place[before]], out=row)
        return np.log(np.clip(result, TINY, self.behind.ravel()[places]))


def different(*columns: NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Where each different row of columns [R] is first [D], and which of them every row is [R]."""
    order = np.lexsort(columns)
    changed = np.zeros(order.size, dtype=bool)
    changed[:1] = True
    for column in columns:
        changed[1:] |= np.diff(column[order]) != 0
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.cumsum(changed) - 1
    return order[changed], place


def windows(size: IntArray, p: FloatArray, most: IntArray) -> Windows:
    """Windows of binomials [U] up to `most` [U] votes.

    Outside lies less than exp(-36) on either side: P(|X - m| >= x) <= exp(-x^2 / 2(v + x/3)) for mean m and variance v
    (Bernstein), and P(X <= m - x) <= exp(-x^2 / 2m) (Chernoff). One chance comes from Loader's form, the others from
    their ratios.
    """
    mean = size * p
    bernstein = _EXPONENT / 3 + np.sqrt((_EXPONENT / 3) ** 2 + 2 * _EXPONENT * mean * (1 - p))
    low = np.maximum(np.floor(mean - np.minimum(bernstein, np.sqrt(2 * _EXPONENT * mean))), 0).astype(np.int64)
    high = np.minimum(np.minimum(np.ceil(mean + bernstein).astype(np.int64), size), most)
    low = np.minimum(low, most)
    votes = low[:, None] + np.arange(int((high - low).max(initial=0)) + 1)
    ratio = np.maximum(size[:, None] - votes + 1, 0) * ((p / (1 - p))[:, None] / np.maximum(votes, 1))
    ratio[:, 0] = binomial_pmf(low, size, p)
    chance = np.cumprod(ratio, axis=1)
    chance[votes > most[:, None]] = 0
    return Windows(low, chance)


def product(left: FloatArray, right: FloatArray) -> FloatArray:
    """left @ right, in pieces small enough for BLAS not to start threads: they would wait for ours."""
    step = max(1, _PIECE // right.size)
    parts = [left[start : start + step] @ right for start in range(0, max(left.shape[0], 1), step)]
    return np.concatenate(parts)


@functools.cache
def _tie_errors() -> FloatArray:
    """What N = 1.. nodes leave out where d ties have a chance below rate^d/d!, for each of the rates: [N, rates].

    The integrand is a polynomial in y - 1/2 with those coefficients at most: |integral - sum over N nodes| of
    (y - 1/2)^d over [0, 1], times them; nothing where N nodes are exact.
    """
    exact = np.where(_DEGREES % 2 == 0, 0.5**_DEGREES / (_DEGREES + 1), 0.0)
    errors = np.empty((_NODES, _DEGREES.size))
    for row, error in enumerate(errors):
        y, share = tie_nodes(2 * row)
        error[:] = np.abs(((y[:, None] - 0.5) ** _DEGREES * share[:, None]).sum(axis=0) - exact)
        error[: 2 * row + 2] = 0
    terms = np.cumprod(np.concatenate([np.ones((1, _RATES.size)), _RATES / _DEGREES[1:, None]]), axis=0)
    return np.asarray(errors @ terms)


def nodes_needed(weight: FloatArray, rate: FloatArray, most: IntArray) -> IntArray:
    """Gauss-Legendre nodes [C] needed where d ties, at most `most`, have a chance below weight * rate^d/d!."""
    kind = np.minimum(np.searchsorted(_RATES, rate), _RATES.size - 1)
    lacking = _tie_errors()[:, kind] * weight > NEGLIGIBLE
    return np.asarray(np.minimum(1 + lacking.sum(axis=0), 1 + most // 2))
