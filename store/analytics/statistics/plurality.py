"""Exact chance that one answer wins a plurality vote among k of n samples drawn without replacement.

The class counts of a k-subset are multivariate hypergeometric: independent X_b ~ Bin(n_b, k/n) given that they sum to
k. Answer a with X_a = t and vote weight w_a wins when every other X_b w_b <= w_a t; a tie among j others leaves it a
chance of 1/(1+j) = the integral of y^j over [0, 1], so

    P(a wins) = 1/b(k; n, k/n) sum_t b(t; n_a, k/n) int_0^1 [x^(k-t)] prod_b (F_b(x; t) + y T_b(x; t)) dy,

F_b the part of X_b's generating function that stays behind a, T_b the part that ties. The coefficient is taken by a
discrete Fourier transform over the window in which the sum of the others can lie, the integral by Gauss-Legendre
nodes, exact for its degree. Both are exact up to rounding: about 1e-13 absolute in the result.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import BoolArray, FloatArray, IntArray
from store.analytics.statistics.binomial import NEGLIGIBLE, binomial_pmf, deviance, likely_range

_CHUNK_CELLS = 2_000_000
ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True)
class Rivals:
    """Classes against the one in question [B]: `size` samples, vote `weight` a sample, `many` classes alike."""

    size: IntArray
    weight: IntArray
    many: IntArray

    def only(self, kept: BoolArray) -> "Rivals":
        """Those of the mask."""
        return Rivals(self.size[kept], self.weight[kept], self.many[kept])


@dataclass(frozen=True)
class _Contest:
    """One class with its likely numbers of votes t [T] against its rivals [B].

    share: b(t) [T]; limit: most votes a rival may have [T, B]; tie:
    whether it then ties; contends: whether it may pass; degree: most ties that count [T].
    """

    t: IntArray
    share: FloatArray
    limit: IntArray
    tie: BoolArray
    contends: BoolArray
    degree: IntArray

    def blocks(self) -> Iterator[slice]:
        """Runs of t with the rivals that may pass at the first; cut where half of them, or of the ties, drop out."""
        counts, start = self.contends.sum(axis=1), 0
        while start < self.t.size:
            fewer = (2 * counts[start:] < counts[start]) | (2 * self.degree[start:] < self.degree[start])
            stop = start + int(np.argmax(np.append(fewer, True)))
            yield slice(start, stop)
            start = stop


@functools.lru_cache(maxsize=256)
def tie_nodes(degree: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [0, 1], exact for polynomials of `degree`."""
    y, weight = np.polynomial.legendre.leggauss(degree // 2 + 1)
    return (y + 1) / 2, weight / 2


class PluralityVote:
    """One draw of k from n samples; asks how often a class wins. 0 < k < n."""

    def __init__(self, n: int, k: int) -> None:
        self.n, self.k, self.p = n, k, k / n
        self.normalizer = float(binomial_pmf(k, n, self.p))

    def win_probability(self, size: int, weight: int, rivals: Rivals) -> float:
        """Chance that the class with `size` samples of vote `weight` wins, ties split evenly.

        Samples that neither it nor the rivals hold are invalid: they can be drawn but never win.
        """
        window = likely_range(self.n - size, self.p)
        contest = self._contest(size, weight, rivals, window)
        total = 0.0
        for rows in contest.blocks():
            kept = contest.contends[rows.start]
            field = rivals.only(kept)
            others = self.n - size - int((field.size * field.many).sum())
            part = _Contest(
                contest.t[rows],
                contest.share[rows],
                contest.limit[rows][:, kept],
                contest.tie[rows][:, kept],
                contest.contends[rows],
                contest.degree[rows],
            )
            total += self._block(part, field, others, window)
        return min(max(total / self.normalizer, 0.0), 1.0)

    def _contest(self, size: int, weight: int, rivals: Rivals, window: tuple[int, int]) -> _Contest:
        """The votes t that matter: likely for the class and for the rest, and not hopeless against the strongest."""
        low, high = likely_range(size, self.p)
        t = np.arange(max(1, low, self.k - window[1]), min(high, self.k - window[0]) + 1)
        own = binomial_pmf(t, size, self.p)
        bound = own / self.normalizer
        for rival in np.argsort(rivals.size * rivals.weight)[-3:].tolist() if t.size else []:
            reach = np.minimum(t * weight // int(rivals.weight[rival]), rivals.size[rival])
            behind = np.cumsum(binomial_pmf(np.arange(int(reach[-1]) + 1), int(rivals.size[rival]), self.p))
            bound = np.minimum(bound, own / self.normalizer * behind[reach])
        kept = bound > NEGLIGIBLE
        t, own, spare = t[kept], own[kept], (NEGLIGIBLE / bound[kept])[:, None]
        limit = t[:, None] * weight // rivals.weight
        tie = limit * rivals.weight == t[:, None] * weight
        contends = self._tail(limit - tie, rivals) > spare
        return _Contest(t, own, limit, tie, contends, self._degree(t, limit, tie & contends, rivals, spare))

    def _tail(self, behind: IntArray, rivals: Rivals) -> FloatArray:
        """Bound [T, B] on the chance that any rival of a kind has more than `behind` votes (Chernoff)."""
        mean = rivals.size * self.p
        tail = np.where(behind + 1 > mean, np.exp(-deviance(behind + 1, mean)), 1.0)
        return np.where(np.minimum(rivals.size, self.k) > behind, tail * rivals.many, 0.0)

    def _degree(self, t: IntArray, limit: IntArray, tie: BoolArray, rivals: Rivals, spare: FloatArray) -> IntArray:
        """Most rivals [T] that can tie at t, or as many as leave a negligible chance of more (Chernoff, Poisson)."""
        rate = np.where(tie, binomial_pmf(limit, rivals.size, self.p) * rivals.many, 0.0).sum(axis=1)
        cheapest = np.where(tie, limit, self.k).min(axis=1, initial=self.k)
        most = np.minimum((rivals.many * tie).sum(axis=1), (self.k - t) // np.maximum(cheapest, 1))
        number = np.arange(1, int(most.max(initial=0)) + 1)
        rare = (number > rate[:, None]) & (
            np.exp(-deviance(number + 0 * rate[:, None], rate[:, None] + 1e-300)) < spare
        )
        return np.asarray(np.minimum(most, np.argmax(np.column_stack([rare, np.ones(t.size, dtype=bool)]), axis=1)))

    def _block(self, contest: _Contest, field: Rivals, others: int, window: tuple[int, int]) -> float:
        """Sum over the votes t of b(t) times the chance that nobody passes the class, before normalisation."""
        if not field.size.size:  # nobody can pass: the rest holds k - t samples, whoever has them
            return float(contest.share @ binomial_pmf(self.k - contest.t, others, self.p))
        length = (window[1] - window[0] + 1) | 1  # odd, so that no frequency but 0 is its own conjugate
        roots = np.exp(2j * np.pi * np.arange(length) / length)
        mean = field.size * self.p
        lows = np.maximum(0, np.floor(mean - 9 * np.sqrt(mean))).astype(np.int64)
        width = int((contest.limit[-1:] - lows).max(initial=0)) + 1
        cells = max(1, contest.t.size, width) * (field.size.size + 2)
        frequencies = np.arange(length // 2 + 1)
        total = 0.0
        for part in np.array_split(frequencies, -(-cells * frequencies.size // _CHUNK_CELLS)):
            grid = self._integrated(contest, field, lows, width, part, roots)
            grid *= (1 + self.p * (roots[part] - 1)) ** others
            turn = roots[np.outer(contest.t - self.k, part) % length]
            total += float(contest.share @ ((grid * turn).real @ np.where(part == 0, 1.0, 2.0))) / length
        return total

    def _integrated(
        self,
        contest: _Contest,
        field: Rivals,
        lows: IntArray,
        width: int,
        frequencies: IntArray,
        roots: ComplexArray,
    ) -> ComplexArray:
        """int_0^1 prod_b (F_b + y T_b) dy on the unit circle: [T, J] for votes T and frequencies J.

        F_b and T_b are the parts of a rival's generating function behind and level with the class.
        """
        steps = np.arange(max(width, 1))
        wave = roots[np.outer(steps, frequencies) % roots.size]
        chance = binomial_pmf(lows[:, None] + steps, field.size[:, None], self.p)
        ahead = np.zeros((lows.size, steps.size + 1, frequencies.size), dtype=np.complex128)
        np.cumsum(chance[:, :, None] * wave, axis=1, out=ahead[:, 1:])
        ahead *= roots[np.outer(lows, frequencies) % roots.size][:, None, :]
        rival = np.arange(lows.size)
        behind = ahead[rival, np.clip(contest.limit - contest.tie + 1 - lows, 0, steps.size)]
        level = np.where(contest.tie, binomial_pmf(contest.limit, field.size, self.p), 0.0)
        tied = level[:, :, None] * roots[contest.limit[:, :, None] * frequencies % roots.size]
        result = np.zeros((contest.t.size, frequencies.size), dtype=np.complex128)
        for y, share in zip(*tie_nodes(int(contest.degree.max())), strict=True):
            result += share * _product(behind + y * tied, field.many)
        return result


def _product(factors: ComplexArray, many: IntArray) -> ComplexArray:
    """prod_b factors[:, b] ** many[b] by repeated squaring: numpy's complex power is many times slower."""
    result = np.ones((factors.shape[0], factors.shape[2]), dtype=np.complex128)
    while many.size:
        odd = many % 2 == 1
        if odd.any():
            result *= np.multiply.reduce(factors[:, odd] if not odd.all() else factors, axis=1)
        left = many > 1
        factors, many = factors[:, left] ** 2, many[left] // 2
    return result
