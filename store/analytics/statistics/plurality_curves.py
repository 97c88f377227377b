"""Plurality votes of many problems at many k: the exact chance that a class wins, made for a whole run in one go.

The formula is that of `plurality` (one vote a sample): given independent X_b ~ Bin(n_b, p) that sum to k,

    P(a wins at k) = 1/b(k; n, p) [x^k] sum_t b(t; n_a, p) x^t int_0^1 prod_b (F_b(x; t) + y T_b(x; t)) dy.

It holds for any p, so neighbouring k share the polynomial of one p between them, and its coefficients at all of them
come from one discrete Fourier transform. What keeps that small, each exact but for less than 1e-11:

* classes far apart: P(X_b >= X_a) <= (1 - (sqrt(n_b/n) - sqrt(n_a/n))^2)^k (Chernoff; Hoeffding 1963 for draws
  without replacement) leaves most problems decided at large k;
* at a given t most rivals cannot pass: they and the invalid samples are one binomial, whose transform falls off like
  a Gaussian, so that few frequencies matter;
* the factors of those that can pass fall off, too: by summation by parts (`plurality_rivals`), the faster the more of
  them there are, so that many close answers cost fewer frequencies;
* the transform only needs to be long enough for its images at k +- length to be negligible.

Problems that are alike in their counts are computed once. They are rows of padded arrays; a class that is only there
to pad has no samples.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import FloatArray, IntArray
from store.analytics.statistics.plurality_rivals import NEGLIGIBLE, Contenders
from store.analytics.statistics.plurality_transform import PluralityTransform, shared_p

_THREADS = 4
_VOTES = 2_000_000  # rows times rivals times votes of it
_SPREAD = 4.0  # standard deviations between p n and the k that share it: costs three or four of sixteen digits
_ALIKE = 1.25  # transforms go together whose lengths differ by less than this factor


@dataclass(frozen=True)
class _Part:
    """Rows [R] of the contenders, and the places of ks [R, K] for which each of them shares one p."""

    rows: IntArray
    columns: IntArray
    field: Contenders

    def only(self, kept: IntArray) -> "_Part":
        return _Part(self.rows[kept], self.columns[kept], self.field.only(kept))


def winning_chances(field: Contenders, ks: IntArray) -> FloatArray:
    """Chance [R, K] that a class leads among k of n samples, ties split evenly; needs 0 < k < n, else NaN."""
    unlike, place = field.distinct()
    values = np.full((unlike.n.size, ks.size), np.nan)
    shared = (part for columns in _groups(ks, int(field.n.max(initial=1))) for part in _shared(unlike, ks, columns))
    parts = list(_alike([_undecided(part, ks, values) for part in shared], ks))
    # The arrays are large enough for numpy to let threads work side by side.
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS)) as threads:
        found = threads.map(lambda part: PluralityTransform(part.field, ks[part.columns]).chances(), parts)
        for part, chances in zip(parts, found, strict=True):
            inside = ks[part.columns] < part.field.n[:, None]
            values[part.rows[:, None], part.columns] = np.where(inside, chances, np.nan)
    return np.asarray(values[place])


def _groups(ks: IntArray, n: int) -> Iterator[IntArray]:
    """Places of neighbouring ks that may share a p."""
    order = np.argsort(ks, kind="stable")
    start = 0
    for stop in range(1, order.size + 1):
        low = int(ks[order[start]])
        if stop < order.size:
            high = int(ks[order[stop]])
            spread = np.sqrt(low * max(1 - high / n, 0.0))
            if high - low <= 2 * _SPREAD * spread:
                continue
        yield order[start:stop]
        start = stop


def _shared(field: Contenders, ks: IntArray, columns: IntArray) -> Iterator[_Part]:
    """Rows that share a p at neighbouring ks: all where it is near enough to all of them, the others by halves."""
    waiting = [(np.arange(field.n.size), columns)]
    while waiting:
        rows, columns = waiting.pop()
        near = _near(field.n[rows], ks[columns])
        both = rows[near]
        yield _Part(both, np.broadcast_to(columns, (both.size, columns.size)), field.only(both))
        if not near.all():
            half = columns.size // 2
            waiting += [(rows[~near], columns[:half]), (rows[~near], columns[half:])]


def _near(n: IntArray, ks: IntArray) -> NDArray[np.bool_]:
    """Whether the p that problems [R] of n samples share at ks leaves each k below n a chance: one k always has.

    A spread that is small beside the largest n may be many of a smaller n's, whose sum varies less.
    """
    center = n * shared_p(n, ks)
    spread = np.sqrt(center * np.maximum(1 - center / n, 0.0))
    away = np.where(ks < n[:, None], np.abs(ks - center[:, None]), 0.0).max(axis=1)
    return np.asarray((away <= _SPREAD * spread) | (ks.size == 1))


def _undecided(part: _Part, ks: IntArray, values: FloatArray) -> _Part:
    """What a bound does not decide, without the rivals that cannot win; what it does is written into values [R, K]."""
    field, k = part.field, ks[part.columns]
    valid = (k > 0) & (k < field.n[:, None])
    wins, contends = _decided(field, np.where(valid, k, field.n[:, None]).min(axis=1))
    values[part.rows[:, None], part.columns] = np.where(valid, wins[:, None], np.nan)
    left = Contenders(field.n, field.own, field.size, np.where(contends, field.many, 0))
    return _Part(part.rows, part.columns, left).only(np.flatnonzero(np.isnan(wins) & valid.any(axis=1)))


def _decided(field: Contenders, k: IntArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """1 or 0 [R] where the winner is beyond doubt from k samples on, else NaN; and the rivals [R, B] that contend."""
    share, own = field.size / field.n[:, None], (field.own / field.n)[:, None]
    log_bound = k[:, None] * np.log1p(-np.minimum((np.sqrt(share) - np.sqrt(own)) ** 2, 1 - 1e-12))
    there = field.many > 0
    rare = log_bound + np.log(np.maximum(field.many, 1)) < np.log(NEGLIGIBLE)
    loses = (there & (share > own) & rare).any(axis=1)
    contends = there & ~((share < own) & rare)
    # The largest come first: whoever is in front of a contender is taken along.
    contends = np.logical_or.accumulate(contends[:, ::-1], axis=1)[:, ::-1] & there
    drawn = k * np.log1p(-np.minimum(own[:, 0], 1 - 1e-12)) < np.log(NEGLIGIBLE)
    return np.where(loses, 0.0, np.where(drawn & ~contends.any(axis=1), 1.0, np.nan)), contends


def _alike(parts: Sequence[_Part], ks: IntArray) -> Iterator[_Part]:
    """The rows of all parts, together where their transforms are about as long; the longest first.

    A step of a transform costs more to begin than a row of it: one for rows of several p is faster than one for each.
    There are few enough rows in each for the arrays of their rivals' votes.
    """
    parts = sorted((part for part in parts if part.rows.size), key=lambda part: -_length(part, ks))
    while parts:
        longest = _length(parts[0], ks)
        count = sum(_length(part, ks) * _ALIKE >= longest for part in parts)
        together, parts = _joined(parts[:count]), parts[count:]
        votes = together.field.own / together.field.n * ks[together.columns].max(axis=1)
        order = np.argsort(votes, kind="stable")  # windows of like votes are as wide
        most = max(1, int(_VOTES / (together.field.size.shape[1] * 0.75 * longest + 1)))
        yield from (together.only(order[start : start + most]) for start in range(0, order.size, most))


def _joined(parts: Sequence[_Part]) -> _Part:
    """Rows of all parts; where one has fewer ks than another, its last are asked for again."""
    most = max(part.columns.shape[1] for part in parts)
    columns = [np.pad(part.columns, ((0, 0), (0, most - part.columns.shape[1])), mode="edge") for part in parts]
    fields = [[getattr(part.field, name) for part in parts] for name in Contenders.__dataclass_fields__]
    rows = np.concatenate([part.rows for part in parts])
    return _Part(rows, np.concatenate(columns), Contenders(*map(np.concatenate, fields)))


def _length(part: _Part, ks: IntArray) -> float:
    """About how long a transform has to be."""
    k, n = ks[part.columns[0]].astype(np.float64), float(part.field.n.max())
    return float(k.max() - k.min() + 12 * np.sqrt(k.max() * max(1 - k.max() / n, 0.0)) + 40)
