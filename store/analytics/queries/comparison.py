"""Paired comparison of runs on the problems they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter
from store.analytics.naming import Judged, find_runs, judged_by
from store.analytics.queries.counts import ProblemCounts, budgets, notes_on, problem_counts
from store.analytics.result import Result, table_of
from store.analytics.statistics.comparison import DifferenceCurve, differences_of_grids
from store.analytics.statistics.designs import design_grid

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


def coverage_difference(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Each run less the first, at every k, paired by problem."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    check_benchmarks(snapshot, judged, entry.name)
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    ks = budgets(parameters["k"], [min(one.end for one in counts)])
    names, lattice = problem_names(snapshot), np.array(ks, dtype=np.int64)
    notes = notes_of_designs(counts)
    (baseline, base_grid), *others = zip(counts, grids_of_runs(counts, lattice), strict=True)
    pairs = [paired(one, baseline, names) for one, _ in others]
    notes += [pair.note for pair in pairs if pair.note]
    sharing = [(one, grid, pair) for (one, grid), pair in zip(others, pairs, strict=True) if ks and pair.shared]
    curves = differences_of_grids([(grid[pair.run], base_grid[pair.baseline]) for _, grid, pair in sharing], lattice)
    rows = [
        row for (one, _, pair), curve in zip(sharing, curves, strict=True) for row in _rows(one, baseline, pair, curve)
    ]
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        "quarantined": parameters["quarantined"],
    }
    return Result(table_of(_COLUMNS, rows), tuple(notes), entry.filled(values))


def notes_of_designs(counts: Sequence[ProblemCounts]) -> list[str]:
    """What a reader must know of how runs were sampled."""
    words = ("design", "stopping rule", "adaptively")
    return [note for note in notes_on(counts, []) if any(word in note for word in words)]


def problem_names(snapshot: Snapshot) -> dict[int, str]:
    """The benchmark's own names by key: versions of a benchmark share problems, not keys."""
    return {row["problem_id"]: row["problem"] for row in snapshot.kept_rows("SELECT problem_id, problem FROM problems")}


@dataclass(frozen=True)
class Pair:
    """Places [S] of the problems two runs share, in each, and how many only one of them has."""

    run: NDArray[np.int64]
    baseline: NDArray[np.int64]
    only_run: int
    only_baseline: int
    note: str | None

    @property
    def shared(self) -> int:
        return int(self.run.size)


def paired(run: ProblemCounts, baseline: ProblemCounts, names: Mapping[int, str]) -> Pair:
    """The shared problems of two runs, by name."""
    ours = {names[key]: place for place, key in enumerate(run.problem_ids.tolist())}
    theirs = {names[key]: place for place, key in enumerate(baseline.problem_ids.tolist())}
    shared = [name for name in ours if name in theirs]
    mine, others = (np.array([side[name] for name in shared], dtype=np.int64) for side in (ours, theirs))
    every = len(ours.keys() | theirs.keys())
    note = None
    if len(shared) < every:
        a, b = run.judged.run.name, baseline.judged.run.name
        note = (
            f"{a} and {b}: only {len(shared)} of {every} problems are shared; compared on these."
            if shared
            else f"{a} and {b} share none of {every} problems: they cannot be compared."
        )
    return Pair(mine, others, len(ours) - len(shared), len(theirs) - len(shared), note)


def check_benchmarks(snapshot: Snapshot, judged: Sequence[Judged], query: str) -> None:
    """Raise unless there are two runs, over one benchmark."""
    if len(judged) < 2:
        raise BadParameter(f"Query {query}: a difference needs at least two runs; the first is the baseline.")
    names = {row["benchmark_id"]: row["benchmark"] for row in snapshot.kept_rows("SELECT * FROM benchmarks")}
    different = {names[one.run.benchmark_id] for one in judged}
    if len(different) > 1:
        raise BadParameter(
            f"These runs are over different benchmarks ({', '.join(sorted(different))}): nothing is shared."
        )


def grids_of_runs(counts: Sequence[ProblemCounts], ks: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Estimates [P, K] of each run: runs of one design share the tables that its estimator needs."""
    grids: dict[int, NDArray[np.float64]] = {}
    alike: dict[str, list[int]] = {}
    for place, one in enumerate(counts):
        alike.setdefault(repr(one.design), []).append(place)
    for places in alike.values():
        n, c = (np.concatenate([getattr(counts[place], name) for place in places]) for name in ("n", "c"))
        ends = np.cumsum([counts[place].n.size for place in places])[:-1]
        grids |= dict(zip(places, np.split(design_grid(counts[places[0]].design, n, c, ks), ends), strict=True))
    return [grids[place] for place in range(len(counts))]


def _rows(run: ProblemCounts, base: ProblemCounts, pair: Pair, curve: DifferenceCurve) -> list[tuple[Any, ...]]:
    columns = (curve.mean, curve.low, curve.high, curve.band_low, curve.band_high, curve.p, curve.holm_p)
    left_out = (curve.problems, pair.only_run, pair.only_baseline)
    names = (run.judged.run.name, base.judged.run.name)
    stacked = np.stack(columns, 1)
    return [(*names, k, *map(float, row), *left_out) for k, row in zip(curve.ks.tolist(), stacked, strict=True)]
