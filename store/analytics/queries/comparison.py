"""Paired comparison of runs on the problems they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter
from store.analytics.naming import Judged, find_runs, judged_by
from store.analytics.queries.counts import budgets, refuse_designs
from store.analytics.result import Result, table_of
from store.analytics.statistics.comparison import difference_curve

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = {
    "run": "s",
    "baseline": "s",
    "k": "i",
    "difference": "f",
    "low": "f",
    "high": "f",
    "band_low": "f",
    "band_high": "f",
    "p": "f",
    "holm_p": "f",
    "problems": "i",
    "only_run": "i",
    "only_baseline": "i",
}
#: Counts (n, c) by the problem's name: versions of a benchmark share problems, not keys.
_Counts = dict[str, tuple[int, int]]


def coverage_difference(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Each run less the first, at every k, paired by problem."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    _check_benchmarks(snapshot, judged)
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
    }
    sql = entry.filled(values)
    counts: dict[str, _Counts] = {one.run.name: {} for one in judged}
    for row in snapshot.rows(sql):
        counts[row["run"]][row["problem"]] = (row["n"], row["c"])
    ends = [min(n for n, _ in run.values()) for run in counts.values()]
    ks = budgets(parameters["k"], [min(ends)])
    baseline, *others = counts
    rows, notes = [], []
    for name in others:
        rows += _rows(name, baseline, counts[name], counts[baseline], ks) if ks else []
        shared = counts[name].keys() & counts[baseline].keys()
        if len(shared) < max(len(counts[name]), len(counts[baseline])):
            every = len(counts[name].keys() | counts[baseline].keys())
            notes.append(
                f"{name} and {baseline}: only {len(shared)} of {every} problems are shared; compared on these."
            )
    return Result(table_of(_COLUMNS, rows), tuple(notes), sql)


def _check_benchmarks(snapshot: Snapshot, judged: Sequence[Judged]) -> None:
    if len(judged) < 2:
        raise BadParameter(
            "Query coverage_difference: a difference needs at least two runs; the first is the baseline."
        )
    names = {row["benchmark_id"]: row["benchmark"] for row in snapshot.rows("SELECT * FROM benchmarks")}
    different = {names[one.run.benchmark_id] for one in judged}
    if len(different) > 1:
        raise BadParameter(
            f"These runs are over different benchmarks ({', '.join(sorted(different))}): nothing is shared."
        )


def _rows(name: str, baseline: str, run: _Counts, base: _Counts, ks: Sequence[int]) -> list[tuple[Any, ...]]:
    shared = [problem for problem in run if problem in base]
    if not shared:
        return []
    ours, theirs = np.array([run[p] for p in shared]), np.array([base[p] for p in shared])
    curve = difference_curve(ours[:, 0], ours[:, 1], theirs[:, 0], theirs[:, 1], ks)
    columns = (curve.mean, curve.low, curve.high, curve.band_low, curve.band_high, curve.p, curve.holm_p)
    left_out = (curve.problems, len(run) - len(shared), len(base) - len(shared))
    return [(name, baseline, k, *map(float, row), *left_out) for k, row in zip(ks, np.stack(columns, 1), strict=True)]
