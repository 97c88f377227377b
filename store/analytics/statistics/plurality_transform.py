"""The discrete Fourier transform behind plurality curves: many classes at neighbouring k at once.

Rivals of a size that several rows share, or that one row has several of, enter by logarithms: the factor of a size is
computed once and raised to each row's number by a matrix product. The others are multiplied one after the other.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import FloatArray, IntArray
from store.analytics.statistics.binomial import binomial_pmf
from store.analytics.statistics.plurality import ComplexArray, tie_nodes
from store.analytics.statistics.plurality_rivals import (
    NEGLIGIBLE,
    NODES,
    TINY,
    Contenders,
    VotesOfRivals,
    binomials,
    fewest_votes,
    quadrature_errors,
    reach,
)

_PLANE = 32_000  # complex numbers of a factor at a time: the few arrays in use stay in the cache
_SHARED = 3  # rows that make a common factor worth its logarithm


@dataclass(frozen=True)
class _Block:
    """Votes `rows` of the axis; at each, the `single` [T] largest rivals may pass, and the `shared` largest sizes."""

    rows: slice
    single: IntArray
    shared: int
    nodes: int
    wave: ComplexArray


class PluralityTransform:
    """Rows [R] at ks [K] that share a p = k0/n; every row has some k below its n."""

    def __init__(self, field: Contenders, ks: IntArray) -> None:
        self.field, self.ks = field, ks
        self.p = self._p(field.n)
        n = field.n[:, None]
        self.normalizer = binomial_pmf(np.minimum(ks, n), n, self.p[:, None])
        self.scale = np.where(ks < n, self.normalizer, np.inf).min(axis=1)
        self.length = self._length()
        self.roots = np.exp(2j * np.pi * np.arange(self.length) / self.length)
        self.axis = self._axis()
        self.own = binomials(field.own, self.p, self.axis)
        self.own[:, self.axis < 1] = 0
        self.single, self.shared = self._split()

    def _p(self, n: IntArray) -> FloatArray:
        """The p of problems with n samples: that of the middle of the ks, or of the last k below n."""
        middle = float(np.sqrt(float(self.ks.min()) * float(self.ks.max())))
        return np.asarray(np.minimum(middle, np.where(self.ks < n[..., None], self.ks, 0).max(axis=-1)) / n)

    def _length(self) -> int:
        """Odd length of the transform: the sum has no mass to speak of that far from any of the ks."""
        low, high = int(self.ks.min()), int(self.ks.max())
        spread = 12 * np.sqrt(high * (1 - float(self.p.min())))
        sums = np.arange(max(0, int(low - spread - 30)), int(high + spread + 60))
        n = np.unique(self.field.n)
        chance = binomial_pmf(sums, n[:, None], self._p(n)[:, None]).max(axis=0)
        likely = sums[chance > 0.1 * NEGLIGIBLE * self.scale.min()]
        return int(max(likely[-1] - low, high - likely[0])) + 1 | 1

    def _axis(self) -> IntArray:
        """Votes from the fewest that a contending rival, or the class, may get, to the most that the class may get."""
        mean = self.field.own * self.p
        most = np.minimum(np.minimum(mean + 9 * np.sqrt(mean) + 40, self.field.own), self.ks.max())
        rivals = np.where(self.field.many > 0, self.field.size, self.field.own[:, None])
        low = min(
            int(fewest_votes(self.field.own, self.p).min()),
            int(fewest_votes(rivals, self.p[:, None]).min(initial=2**62)),
        )
        return np.arange(low, int(most.max()) + 1)

    def _split(self) -> tuple[VotesOfRivals, VotesOfRivals]:
        """Rivals with factors of their own [R, B], and those with common ones, by size and n [U]."""
        field, there = self.field, self.field.many > 0
        unit = int(field.n.max()) + 1
        keys = np.where(there, field.size * unit + field.n[:, None], 0)
        distinct, place, rows = np.unique(keys, return_inverse=True, return_counts=True)
        place = place.reshape(keys.shape)
        several = np.bincount(place.ravel(), weights=(field.many > 1).ravel(), minlength=distinct.size) > 0
        common = ((rows >= _SHARED) | several) & (distinct > 0)
        size, n = np.divmod(distinct[common][::-1], unit)
        row, column = np.nonzero(common[place] & there)
        many = np.zeros((field.n.size, size.size), dtype=np.int64)
        many[row, size.size - np.cumsum(common)[place[row, column]]] = field.many[row, column]
        order = np.argsort(common[place] | ~there, axis=1, kind="stable")
        alone = np.take_along_axis(there & ~common[place], order, axis=1)
        width = int(alone.sum(axis=1).max(initial=0))
        own_size = np.where(alone, np.take_along_axis(field.size, order, axis=1), 0)[:, :width]
        return self._rivals(own_size, self.p[:, None], alone[:, :width]), self._rivals(size, self._p(n), many)

    def _rivals(self, size: IntArray, p: FloatArray, many: NDArray[np.int64] | NDArray[np.bool_]) -> VotesOfRivals:
        chance = binomials(size, p, self.axis) * (size > 0)[..., None]
        last = int(self.axis[-1])
        ratio = np.maximum(size - last, 0) / (last + 1) * (p / (1 - p))
        beyond = np.where(ratio < 1, chance[..., -1] * ratio / np.maximum(1 - ratio, 1e-6), 1.0) * (size > 0)
        return VotesOfRivals(chance, many.astype(np.int64), size * many, beyond)

    def chances(self) -> FloatArray:
        """Values [R, K]; of no meaning where k >= n."""
        weight, rate = self._bounds()
        # A vote left out is left out of every part: where it is, the rivals that rule it out may be, too.
        self.own[weight <= NEGLIGIBLE] = 0
        single, shared = self._fronts(weight)
        total = self._unrivalled(single + shared == 0)
        for block in self._blocks(weight, rate, single, shared):
            self._add(total, block)
        frequencies = np.arange(total.shape[1])
        back = self.roots[-np.outer(self.ks, frequencies) % self.length] * np.where(frequencies == 0, 1.0, 2.0)
        return np.asarray(np.clip((total @ back.T).real / self.length / self.normalizer, 0.0, 1.0))

    def _bounds(self) -> tuple[FloatArray, FloatArray]:
        """weight [R, S] >= P(wins with t votes), as b(t) prod_b P(X_b <= t) / b(k); rate: ties to expect then."""
        single, shared = self.single, self.shared
        log = np.log(single.behind).sum(axis=1) + shared.many @ np.log(shared.behind)
        rate = (single.chance / single.behind).sum(axis=1) + shared.many @ (shared.chance / shared.behind)
        return self.own / self.scale[:, None] * np.exp(log), rate

    def _fronts(self, weight: FloatArray) -> tuple[IntArray, IntArray]:
        """How many of the largest rivals of either kind may pass at each t [S]; never rising in t.

        A rival passes with less than weight * P(X >= t) / P(X <= t).
        """
        single = (weight[:, None] * self.single.tail / self.single.behind > NEGLIGIBLE).any(axis=0)
        most = (self.shared.many[:, :, None] * weight[:, None]).max(axis=0)
        shared = most * self.shared.tail / self.shared.behind > NEGLIGIBLE
        return reach(np.asarray(single)), reach(np.asarray(shared))

    def _nodes(self, weight: FloatArray, rate: FloatArray) -> IntArray:
        """Gauss-Legendre nodes needed at each t [S]: d ties have a chance below weight * rate^d/d!.

        The integrand is a polynomial in y - 1/2 with those coefficients at most; N nodes leave out what they do not
        integrate of it.
        """
        rivals = int(self.field.many.sum(axis=1).max())
        most = np.minimum((int(self.ks.max()) - self.axis) // np.maximum(self.axis, 1), rivals)
        nodes, errors = np.ones(self.axis.size, dtype=np.int64), quadrature_errors()
        chance = weight
        for degree in range(1, errors.shape[1]):
            chance = chance * (rate / degree)
            likely = np.where(degree <= most, chance.max(axis=0), 0.0)
            if not (likely > NEGLIGIBLE).any():
                break
            lacking = errors[:, degree, None] * likely > NEGLIGIBLE
            nodes = np.maximum(nodes, 1 + np.where(lacking, NODES, 0).max(axis=0))
        return nodes

    def _blocks(self, weight: FloatArray, rate: FloatArray, single: IntArray, shared: IntArray) -> Iterator[_Block]:
        """Runs of the t that matter, cut where half the rivals or a third of the nodes drop out, or arrays grow."""
        nodes = self._nodes(weight, rate)
        matters = np.flatnonzero((weight > NEGLIGIBLE).any(axis=0) & (single + shared > 0))
        first, end = (int(matters[0]), int(matters[-1]) + 1) if matters.size else (0, 0)
        while first < end:
            ahead = slice(first, end)
            fewer = 2 * (single + shared)[ahead] < single[first] + shared[first]
            fewer |= 3 * nodes[ahead] < 2 * nodes[first]
            stop = first + int(np.argmax(np.append(fewer, True)))
            others = self._others(int(single[first]), int(shared[first]))
            count = self._frequencies(others, weight[:, first:stop].sum(axis=1))
            stop = min(stop, first + max(1, _PLANE // (max(self.own.shape[0], int(shared[first])) * count)))
            rows = slice(first, stop)
            wave = self._wave(stop, count)
            yield _Block(rows, single[rows], int(shared[first]), int(nodes[rows].max()), wave)
            first = stop

    def _others(self, single: int, shared: int) -> IntArray:
        """Samples [R] of neither the class nor the rivals in front."""
        return np.asarray(self.field.n - self.field.own - self.single.held(single) - self.shared.held(shared))

    def _frequencies(self, others: IntArray, weight: FloatArray) -> int:
        """How many frequencies of the transform of Bin(others, p) [R] matter under a weight [R]."""
        size, _ = self._base
        floor = np.log(0.1 * NEGLIGIBLE) - np.log(np.maximum(weight, TINY))
        return max(int((others[:, None] * size > floor[:, None]).any(axis=0).sum()), 1)

    @functools.cached_property
    def _base(self) -> tuple[FloatArray, FloatArray]:
        """ln |1 + p (z - 1)| and its angle [R, J] on the circle, by forms that lose nothing near z = 1."""
        half, p = np.pi * np.arange(self.length // 2 + 1) / self.length, self.p[:, None]
        square = np.sin(half) ** 2
        return 0.5 * np.log1p(-4 * p * (1 - p) * square), np.arctan2(p * np.sin(2 * half), 1 - 2 * p * square)

    def _rest(self, others: IntArray, count: int) -> ComplexArray:
        """The transform [R, J] of Bin(others, p)."""
        size, angle = self._base
        return np.asarray(np.exp(others[:, None] * (size[:, :count] + 1j * angle[:, :count])))

    def _wave(self, stop: int, count: int) -> ComplexArray:
        """z^t for the first votes of the axis [stop, J]."""
        return np.asarray(self.roots[np.outer(self.axis[:stop], np.arange(count)) % self.length])

    def _unrivalled(self, votes: NDArray[np.bool_]) -> ComplexArray:
        """The transform [R, J] of votes t that nobody can pass: the rest holds the others, whoever has them."""
        own = np.where(votes, self.own, 0.0)
        others = self._others(0, 0)
        total = np.zeros((others.size, self.length // 2 + 1), dtype=np.complex128)
        count = self._frequencies(others, 1 / self.scale)
        total[:, :count] = (own @ self._wave(self.axis.size, count)) * self._rest(others, count)
        return total

    def _add(self, total: ComplexArray, block: _Block) -> None:
        """Add the transform of a block's votes to the total."""
        product = self._product(block)
        product *= self.own[:, block.rows].T[:, :, None] * block.wave[block.rows, None]
        for passing in np.unique(block.single).tolist():
            part = product[block.single == passing].sum(axis=0)
            total[:, : part.shape[1]] += part * self._rest(self._others(passing, block.shared), part.shape[1])

    def _product(self, block: _Block) -> ComplexArray:
        """int_0^1 prod_b (F_b + y T_b) dy on the circle [T, R, J], over the rivals that may pass at each t."""
        y, share = tie_nodes(2 * (block.nodes - 1))
        products = self._common(block, y)
        front = int(block.single[0])
        start = _before(self.single.chance[:, :front], block)
        buffers = np.empty((3, *products.shape[1:]), dtype=np.complex128)
        for b in range(front):
            stop = int((block.single > b).sum())
            level, reached, factor = buffers[:, :stop]
            chance = self.single.chance[:, b, block.rows].T[:stop, :, None]
            _follow(chance, start[:, b], block.wave[block.rows, None][:stop], level, reached)
            absent = self.single.many[:, b] == 0
            if absent.any():
                reached[:, absent] = 1.0
            for node, product in zip(y.tolist(), products, strict=True):
                np.multiply(level, node - 1, out=factor)
                factor += reached
                product[:stop] *= factor
        products *= share[:, None, None, None]
        return np.asarray(products.sum(axis=0)) if y.size > 1 else products[0]

    def _common(self, block: _Block, y: FloatArray) -> ComplexArray:
        """The factors [N, T, R, J] of the shared sizes at the nodes y, raised to each row's numbers of them."""
        shape = (block.single.size, self.own.shape[0], block.wave.shape[1])
        if not block.shared:
            return np.ones((y.size, *shape), dtype=np.complex128)
        chance = self.shared.chance[: block.shared]
        level, reached = np.empty((2, shape[0], block.shared, shape[2]), dtype=np.complex128)
        _follow(
            chance[:, block.rows].T[:, :, None], _before(chance, block), block.wave[block.rows, None], level, reached
        )
        many = self.shared.many[:, : block.shared].astype(np.float64)
        result = np.empty((y.size, *shape), dtype=np.complex128)
        for node, part in zip(y.tolist(), result, strict=True):
            factor = reached + (node - 1) * level
            factor[factor == 0] = TINY
            np.matmul(many, np.log(factor).view(np.float64), out=part.view(np.float64))
            np.exp(part, out=part)
        return result


def _before(chance: FloatArray, block: _Block) -> ComplexArray:
    """The transform [..., J] of what lies before the block."""
    stop = block.rows.start
    return (chance[..., :stop] @ block.wave[:stop].view(np.float64)).view(np.complex128)


def _follow(
    chance: FloatArray, start: ComplexArray, wave: ComplexArray, level: ComplexArray, reached: ComplexArray
) -> None:
    """Fill the transforms [T, ., J] of X = t (level) and X <= t (reached), after what lies before."""
    np.multiply(chance, wave, out=level)
    np.add(start, level[0], out=reached[0])
    for t in range(1, level.shape[0]):
        np.add(reached[t - 1], level[t], out=reached[t])
