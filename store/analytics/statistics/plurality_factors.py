"""The factors of rivals on the circle, F_b + y T_b, and what their products come to when ties are split evenly."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from store.analytics.statistics.arguments import FloatArray, IntArray
from store.analytics.statistics.plurality import ComplexArray, tie_nodes

_PLANE = 30_000  # complex numbers worked on at a time: they stay in the cache


@dataclass(frozen=True)
class Factors:
    """Transforms [V, J] of X < t and X = t for votes t of kinds of rivals; classes of each kind [V]; places [front, C].

    origin [C]: the votes from which the factors of a cell count.
    """

    behind: ComplexArray
    level: ComplexArray
    many: IntArray
    places: IntArray
    origin: IntArray


def running_sums(
    behind: ComplexArray, chances: FloatArray, begin: ComplexArray, wave: ComplexArray, offsets: Sequence[int]
) -> tuple[ComplexArray, ComplexArray]:
    """sum_{s<t} b(s) z^s and b(t) z^t [V, J] of kinds of rivals, vote after vote.

    behind [U, J]: the sums up to the first vote of each kind. chances [V]: b(t). begin [U, J] and wave [S, J]: z^t is
    their product. offsets [S + 1]: where what belongs to each vote is, always of the first kinds.
    """
    sums, level = np.empty((2, chances.size, begin.shape[1]), dtype=np.complex128)
    sums[: behind.shape[0]] = behind
    plain, before = level.view(np.float64), 0
    for (start, stop), power in zip(itertools.pairwise(offsets), wave, strict=True):
        size = stop - start
        if start:
            np.add(sums[before : before + size], level[before : before + size], out=sums[start:stop])
        np.multiply(begin[:size], power, out=level[start:stop])
        plain[start:stop] *= chances[start:stop, None]  # a real product: twice as fast as a complex one
        before = start
    return sums, level


def integrate(whole: ComplexArray, factors: Factors, front: IntArray, nodes: int, part: slice) -> None:
    """Multiply cells [C, J] with int_0^1 prod_b (F_b + y T_b) dy over their rivals in front [C], most of them first.

    part: where these cells are among those that the factors were made for; nodes: how many the integral needs.
    """
    places = factors.places[: int(front[0]), part]
    needed = np.zeros(factors.many.size, dtype=bool)
    for b, row in enumerate(places):
        needed[row[: int(np.searchsorted(-front, -b))]] = True
    places, needed = (np.cumsum(needed) - 1)[places], np.flatnonzero(needed)
    behind, level, many = factors.behind[needed], factors.level[needed], factors.many[needed]
    factor, total = np.empty_like(behind), np.zeros_like(whole)
    size = max(1, _PLANE // whole.shape[1])
    work, taken = np.empty((2, size, whole.shape[1]), dtype=np.complex128)
    for y, share in zip(*tie_nodes(2 * (nodes - 1)), strict=True):
        np.multiply(level.view(np.float64), y, out=factor.view(np.float64))  # twice as fast as a complex product
        factor += behind
        _raise(factor, many)
        for first in range(0, front.size, size):
            inside = slice(first, first + size)
            fronts, here = front[inside], work[: front[inside].size]
            np.multiply(whole[inside], share, out=here)
            for b, stop in enumerate(np.searchsorted(-fronts, -np.arange(int(fronts[0]))).tolist()):
                np.take(factor, places[b, first : first + stop], axis=0, out=taken[:stop], mode="clip")
                here[:stop] *= taken[:stop]
            total[inside] += here
    whole[:] = total


def _raise(factor: ComplexArray, many: IntArray) -> None:
    """factor[v] ** many[v] in place, by repeated squaring."""
    for exponent in np.unique(many[many > 1]).tolist():
        rows = np.flatnonzero(many == exponent)
        power = factor[rows]
        result = power if exponent % 2 else None
        while exponent := exponent // 2:
            power = power * power
            if exponent % 2:
                result = power if result is None else result * power
        factor[rows] = result
