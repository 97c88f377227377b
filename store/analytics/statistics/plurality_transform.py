"""The discrete Fourier transform behind plurality curves: many classes at neighbouring k at once.

A *cell* is a class with a number of votes t; only cells that matter are worked off. At each, the largest rivals may
pass and have a factor of their own on the circle; the others join the invalid samples in one binomial. Cells that need
about as many frequencies and nodes go together, so that a factor is made once for all of them.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import FloatArray, IntArray
from store.analytics.statistics.binomial import binomial_pmf
from store.analytics.statistics.plurality import ComplexArray
from store.analytics.statistics.plurality_factors import Factors, integrate, running_sums
from store.analytics.statistics.plurality_rivals import (
    NEGLIGIBLE,
    Contenders,
    different,
    nodes_needed,
    product,
    windows,
)

_LIKE = 2.0  # cells go together whose frequencies differ by less than this factor


@dataclass(frozen=True)
class _Cells:
    """Cells [C] of rows: votes, chance of just as many, rivals in front, nodes and frequencies needed."""

    row: IntArray
    votes: IntArray
    chance: FloatArray
    front: IntArray
    nodes: IntArray
    frequencies: IntArray

    def only(self, kept: IntArray) -> "_Cells":
        return _Cells(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))

    def alike(self, by: IntArray) -> Iterator["_Cells"]:
        """Cells of equal `by` [C] together; of these, of equal nodes, those with most rivals in front first."""
        order = np.lexsort((-self.front, self.nodes, by))
        ends = np.flatnonzero(np.diff(by[order])) + 1
        yield from (self.only(part) for part in np.split(order, ends) if part.size)


def shared_p(n: IntArray, ks: IntArray) -> FloatArray:
    """The p [R] of problems with n [R] samples at ks [R, K] or [K]: that of their middle, or of the last k below n."""
    middle = np.sqrt(ks.min(axis=-1) * ks.max(axis=-1).astype(np.float64))
    return np.asarray(np.minimum(middle, np.where(ks < n[:, None], ks, 0).max(axis=-1)) / n)


class PluralityTransform:
    """Rows [R], each at ks [R, K] of its own that share a p = k0/n; every row has some k below its n."""

    def __init__(self, field: Contenders, ks: IntArray) -> None:
        self.field, self.ks, self.most = field, ks, ks.max(axis=1)
        self.p = shared_p(field.n, ks)
        n = field.n[:, None]
        self.normalizer = binomial_pmf(np.minimum(ks, n), n, self.p[:, None])
        self.scale = np.where(ks < n, self.normalizer, np.inf).min(axis=1)
        self.length = self._length()
        self.roots = np.exp(2j * np.pi * np.arange(self.length) / self.length)
        self._pair()

    def _length(self) -> int:
        """Odd length of the transform: the sum of no row has mass to speak of that far from any of its ks."""
        first, _ = different(self.field.n, self.ks.min(axis=1), self.most)
        n, low, high, p = self.field.n[first], self.ks[first].min(axis=1), self.most[first], self.p[first]
        spread = 12 * np.sqrt(high * (1 - p))
        start = np.maximum(low - spread - 30, 0).astype(np.int64)
        sums = start[:, None] + np.arange(int((high + spread + 60 - start).max()))
        likely = binomial_pmf(sums, n[:, None], p[:, None]) > 0.1 * NEGLIGIBLE * self.scale[first, None]
        last = np.where(likely, sums, -1).max(axis=1)
        least = np.where(likely, sums, last[:, None]).min(axis=1)
        return int(np.maximum(last - low, high - least).max()) + 1 | 1

    def _pair(self) -> None:
        """Rows with their rivals [Q], row after row and largest first, and the kinds of rivals [U] there are."""
        field = self.field
        row, column = np.nonzero(field.many)
        size, many = field.size[row, column], field.many[row, column]
        first, self.pair_kind = different(size, many, self.most[row], self.p[row])
        self.pair_row = row
        self.pair_held = np.cumsum(size * many)
        self.first = np.searchsorted(row, np.arange(field.n.size + 1))
        self.pair_place = np.arange(row.size) - self.first[row]
        self.kind_many = many[first]
        self.kinds = windows(size[first], self.p[row[first]], self.most[row[first]])

    def chances(self) -> FloatArray:
        """Values [R, K]; of no meaning where k >= n."""
        total = np.zeros((self.field.n.size, self.length // 2 + 1), dtype=np.complex128)
        cells = self._cells()
        for alike in cells.alike(cells.frequencies):
            self._add(total, alike)
        total[:, 1:] *= 2
        values = np.empty(self.ks.shape)
        for value, k in zip(values.T, self.ks.T, strict=True):
            back = self.roots[-np.outer(k, np.arange(total.shape[1])) % self.length]
            value[:] = (total.real * back.real - total.imag * back.imag).sum(axis=1)
        return np.asarray(np.clip(values / self.length / self.normalizer, 0.0, 1.0))

    def _cells(self) -> _Cells:
        """The cells that matter.

        weight >= P(wins with t votes), as b(t) prod_b P(X_b <= t) / b(k). A rival passes with less than
        weight * P(X >= t) / P(X <= t). rate: ties to expect.
        """
        field, last = self.field, self.kinds.chance.shape[1] + 1
        own = windows(field.own, self.p, self.most)
        keep = int((own.chance > NEGLIGIBLE * self.scale[:, None]).any(axis=0).nonzero()[0].max(initial=0)) + 1
        votes, chance = own.low[:, None] + np.arange(keep), own.chance[:, :keep]
        at = np.clip(votes[self.pair_row] - self.kinds.low[self.pair_kind, None] + 1, 0, last)
        at += self.pair_kind[:, None] * (last + 1)
        behind, many = self.kinds.behind, self.kind_many[:, None].astype(np.float64)
        all_behind, several = behind.copy(), self.kind_many > 1
        all_behind[several] **= many[several]
        weight = chance / self.scale[:, None] * (votes > 0) * self._over_rivals(np.multiply, all_behind.ravel()[at])
        level = np.pad(self.kinds.chance, ((0, 0), (1, 1))) / behind
        rate = self._over_rivals(np.add, (level * many).ravel()[at])
        passing = (self.kinds.tail / behind * many).ravel()[at]
        passes = weight[self.pair_row] * passing > NEGLIGIBLE
        # As many of the first as cover those that pass.
        front = self._over_rivals(np.maximum, np.where(passes, self.pair_place[:, None] + 1, 0))
        row, column = np.nonzero(weight > NEGLIGIBLE)
        t = votes[row, column]
        rivals = field.many.sum(axis=1)
        most = np.minimum((self.most[row] - t) // t, rivals[row])
        nodes = nodes_needed(weight[row, column], rate[row, column], most)
        fronts = front[row, column]
        nodes = np.where(fronts > 0, nodes, 1)
        return _Cells(
            row, t, chance[row, column], fronts, nodes, self._frequencies(row, t, fronts, chance[row, column])
        )

    def _over_rivals(self, combined: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
        """Sums, products or maxima [R, T] of the values of each row's pairs [Q, T]; of none for rows without rivals."""
        result = np.full((self.field.n.size, values.shape[1]), combined.identity or 0, dtype=values.dtype)
        rivalled = np.flatnonzero(np.diff(self.first))
        if rivalled.size:
            result[rivalled] = combined.reduceat(values, self.first[rivalled], axis=0)
        return result

    def _others(self, row: IntArray, front: IntArray) -> IntArray:
        """Samples of neither the class nor the rivals in front."""
        held = np.concatenate([[0], self.pair_held])
        first = self.first[row]
        return np.asarray(self.field.n[row] - self.field.own[row] - held[first + front] + held[first])

    @functools.cached_property
    def _base(self) -> tuple[FloatArray, FloatArray]:
        """ln |1 + p (z - 1)| and its angle [R, J] on the circle, by forms that lose nothing near z = 1."""
        half, p = np.pi * np.arange(self.length // 2 + 1) / self.length, self.p[:, None]
        square = np.sin(half) ** 2
        return 0.5 * np.log1p(-4 * p * (1 - p) * square), np.arctan2(p * np.sin(2 * half), 1 - 2 * p * square)

    def _frequencies(self, row: IntArray, votes: IntArray, front: IntArray, chance: FloatArray) -> IntArray:
        """How many frequencies matter to each cell [C], of a few numbers: from there on the product is negligible.

        It falls with the frequency, or what bounds it does: the binomial of the others, and the factors of rivals.
        """
        full = self.length // 2 + 1
        counts = np.unique(np.ceil(full * _LIKE ** -np.arange(int(np.log(full / 8) / np.log(_LIKE)) + 1.0)).astype(int))
        counts = counts[counts < full]
        cell = np.repeat(np.arange(row.size), front)
        pair = self.first[row[cell]] + np.arange(cell.size) - np.repeat(np.cumsum(front) - front, front)
        kind = self.pair_kind[pair]
        width = self.kinds.behind.shape[1]
        at = np.clip(votes[cell] - self.kinds.low[kind] + 1, 0, width - 1) + kind * width
        needed = np.zeros(self.kinds.behind.size, dtype=bool)
        needed[at] = True
        used = np.flatnonzero(needed)
        sizes = self.kinds.log_sizes(used, 2 * np.sin(np.pi * counts / self.length)) * self.kind_many[used // width]
        place = (np.cumsum(needed) - 1)[at]
        others, limit = self._others(row, front), np.log(0.1 * NEGLIGIBLE * self.scale[row] / chance)
        result = np.full(row.size, full)
        for count, size in zip(counts[::-1].tolist(), sizes[::-1], strict=True):
            bound = np.bincount(cell, weights=size[place], minlength=row.size) + others * self._base[0][row, count]
            result[bound < limit] = count
        return result

    def _add(self, total: ComplexArray, cells: _Cells) -> None:
        """Add the transforms of cells alike to the totals of their rows."""
        count = int(cells.frequencies.max())
        factors = self._factors(cells, count) if cells.front.any() else None
        made = self._start(cells, count, factors.origin if factors else np.zeros_like(cells.votes))
        ends = np.flatnonzero(np.diff(cells.nodes)) + 1
        for start, stop in zip([0, *ends.tolist()], [*ends.tolist(), cells.row.size], strict=True):
            if factors and cells.front[start]:
                part = slice(start, stop)
                integrate(made[part], factors, cells.front[part], int(cells.nodes[start]), part)
        order = np.argsort(cells.row, kind="stable")
        rows, starts = np.unique(cells.row[order], return_index=True)
        total[rows, :count] += np.add.reduceat(made[order], starts, axis=0)

    def _factors(self, cells: _Cells, count: int) -> Factors:
        """The factors of the rivals in front of cells, at their votes."""
        index = np.arange(int(cells.front.max()))[:, None]
        inside = index < cells.front
        # Any pair will do where there is none in front: the last rows may have no pair at all.
        kind = self.pair_kind[np.where(inside, self.first[cells.row] + index, 0)]
        used = np.flatnonzero(np.bincount(kind[inside], minlength=self.kind_many.size))
        place = np.zeros(self.kind_many.size, dtype=np.int64)
        place[used] = np.arange(used.size)
        place = place[kind]
        chance = self.kinds.chance[used]
        at = np.clip(cells.votes - self.kinds.low[kind], 0, chance.shape[1] - 1)
        first, last = np.full(used.size, chance.shape[1]), np.zeros(used.size, dtype=np.int64)
        np.minimum.at(first, place[inside], at[inside])
        np.maximum.at(last, place[inside], at[inside])
        # Kinds that are needed at most votes come first, so that every step is one piece of the arrays.
        rank = np.argsort(first - last, kind="stable")
        used, chance, first, last = used[rank], chance[rank], first[rank], last[rank]
        place = np.argsort(rank)[place]
        before = chance * (np.arange(chance.shape[1]) < first[:, None])
        reached = product(before, self._wave(np.arange(chance.shape[1]), count).view(np.float64)).view(np.complex128)
        begin, wave = self._wave(first, count), self._wave(np.arange(int((last - first).max()) + 1), count)
        sizes = (last - first >= np.arange(wave.shape[0])[:, None]).sum(axis=1)
        offset = np.concatenate([[0], np.cumsum(sizes)])
        step = np.repeat(np.arange(sizes.size), sizes)
        kinds = np.arange(step.size) - offset[step]
        chances, many = chance[kinds, first[kinds] + step], self.kind_many[used[kinds]]
        behind, level = running_sums(reached, chances, begin, wave, offset.tolist())
        places = np.where(inside, offset[np.where(inside, at - first[place], 0)] + place, 0)
        origin = np.where(inside, (self.kinds.low * self.kind_many)[kind], 0).sum(axis=0)
        return Factors(behind, level, many, places, origin)

    def _wave(self, votes: IntArray, count: int) -> ComplexArray:
        """z^votes [., J]."""
        return np.asarray(self.roots[np.outer(votes, np.arange(count)) % self.length])

    def _start(self, cells: _Cells, count: int, origin: IntArray) -> ComplexArray:
        """What does not depend on ties [C, J]: the class's votes, the rest's transform, where its factors begin."""
        size, angle = self._base
        unit = int(cells.front.max()) + 1
        same, place = np.unique(cells.row * unit + cells.front, return_inverse=True)
        rows, fronts = np.divmod(same, unit)
        rest = np.exp(self._others(rows, fronts)[:, None] * (size[rows, :count] + 1j * angle[rows, :count]))
        result = self._wave(cells.votes + origin, count)
        result *= rest[place]
        result *= cells.chance[:, None]
        return result
