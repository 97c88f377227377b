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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from store.analytics.statistics.arguments import FloatArray, IntArray
from store.analytics.statistics.plurality_rivals import NEGLIGIBLE, Contenders
from store.analytics.statistics.plurality_transform import PluralityTransform, shared_p

_THREADS = 4
_VOTES = 2_000_000  # rows times rivals times votes of it
_SPREAD = 4.0  # standard deviations between p n and the k that share it: costs three or four of sixteen digits


def winning_chances(field: Contenders, ks: IntArray) -> FloatArray:
    """Chance [R, K] that a class leads among k of n samples, ties split evenly; needs 0 < k < n, else NaN."""
    different, place = field.distinct()
    values = np.full((different.n.size, ks.size), np.nan)
    groups = list(_groups(ks, int(field.n.max(initial=1))))
    # The arrays are large enough for numpy to let threads work side by side.
    with ThreadPoolExecutor(min(os.cpu_count() or 1, _THREADS)) as threads:
        found = threads.map(lambda columns: _group(different, ks[columns]), groups)
        for columns, part in zip(groups, found, strict=True):
            values[:, columns] = part
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


def _group(field: Contenders, ks: IntArray) -> FloatArray:
    """Values [R, K] at neighbouring ks: together where one p is near enough to all of them, else by halves."""
    near = _near(field.n, ks)
    if near.all():
        return _shared(field, ks)
    values = np.empty((field.n.size, ks.size))
    if near.any():
        values[near] = _shared(field.only(near), ks)
    half = ks.size // 2
    far = field.only(~near)
    values[~near] = np.concatenate([_group(far, ks[:half]), _group(far, ks[half:])], axis=1)
    return values


def _near(n: IntArray, ks: IntArray) -> NDArray[np.bool_]:
    """Whether the p that problems [R] of n samples share at ks leaves each k below n a chance: one k always has.

    A spread that is small beside the largest n may be many of a smaller n's, whose sum varies less.
    """
    center = n * shared_p(n, ks)
    spread = np.sqrt(center * np.maximum(1 - center / n, 0.0))
    away = np.where(ks < n[:, None], np.abs(ks - center[:, None]), 0.0).max(axis=1)
    return np.asarray((away <= _SPREAD * spread) | (ks.size == 1))


def _shared(field: Contenders, ks: IntArray) -> FloatArray:
    """Values [R, K] at ks that share a p: the decided ones by a bound, the others in chunks of like size."""
    values = np.full((field.n.size, ks.size), np.nan)
    valid = (ks > 0) & (ks < field.n[:, None])
    lowest = np.where(valid, ks, field.n[:, None]).min(axis=1)
    wins, contends = _decided(field, lowest)
    values[valid] = np.broadcast_to(wins[:, None], valid.shape)[valid]
    open_rows = np.flatnonzero(np.isnan(wins) & valid.any(axis=1))
    open_rows = open_rows[np.argsort(field.own[open_rows] / field.n[open_rows], kind="stable")]
    for rows in _chunks(open_rows, field, int(ks.max())):
        part = Contenders(field.n, field.own, field.size, np.where(contends, field.many, 0)).only(rows)
        values[rows] = np.where(valid[rows], PluralityTransform(part, ks).chances(), np.nan)
    return values


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


def _chunks(rows: IntArray, field: Contenders, k: int) -> Iterator[IntArray]:
    """Rows in runs of like size, few enough for the arrays of their rivals' votes."""
    spread = float(np.sqrt(k * max(1 - k / float(field.n.max(initial=1)), 0.0)))
    most = max(1, int(_VOTES / (field.size.shape[1] * (9 * spread + 40) + 1)))
    yield from (rows[start : start + most] for start in range(0, rows.size, most))
