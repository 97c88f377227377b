"""Coverage among the problems of each kind: by the words that a benchmark files its problems under."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from store.analytics.concepts import CatalogueEntry
from store.analytics.naming import find_runs, judged_by
from store.analytics.queries.counts import ProblemCounts, notes_on, problem_counts
from store.analytics.queries.grids import solved_grids
from store.analytics.result import Result, table_of
from store.analytics.statistics.arguments import FloatArray
from store.analytics.statistics.curves import mean_curve

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = {
    "run": "s",
    "verifier": "s",
    "tag": "s",
    "k": "i",
    "coverage": "f",
    "low": "f",
    "high": "f",
    "problems": "i",
    "solved": "i",
    "n_min": "i",
    "undecided": "i",
}


def coverage_by_tag(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Coverage at every k among the problems of each tag, for every run, under the run's design."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    ks = parameters["k"] or sorted({1, max((one.end for one in counts), default=1)} - {0})
    tags = _tags(snapshot)
    rows: list[tuple[Any, ...]] = []
    notes = notes_on(counts, ks)
    for one, grid in zip(counts, solved_grids(counts, np.array(ks, dtype=np.int64)), strict=True):
        mine = list(_rows(one, ks, grid, tags))
        rows += mine
        if not mine:
            notes.append(f"{one.judged.run.name}: the problems of its benchmark have no tags.")
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        "quarantined": parameters["quarantined"],
    }
    return Result(table_of(_COLUMNS, rows), tuple(notes), entry.filled(values))


def _tags(snapshot: Snapshot) -> dict[int, list[str]]:
    """The tags of every problem that has any."""
    rows = snapshot.kept_rows("SELECT problem_id, tags FROM problems WHERE tags <> '[]'")
    return {row["problem_id"]: json.loads(row["tags"]) for row in rows}


def _rows(
    one: ProblemCounts, ks: Sequence[int], grid: FloatArray, tags: Mapping[int, Sequence[str]]
) -> Iterator[tuple[Any, ...]]:
    members: dict[str, list[int]] = {}
    for place, problem in enumerate(one.problem_ids.tolist()):
        for tag in tags.get(problem, ()):
            members.setdefault(tag, []).append(place)
    for tag, places in sorted(members.items()):
        values = grid[places]
        mean, _, low, high, _ = mean_curve(values)
        unknown = np.asarray(np.isnan(values).any(axis=0))  # strict: a mean over some of the problems is not theirs
        counted = (len(places), int((one.c[places] > 0).sum()), int(one.n[places].min()))
        undecided = int(one.undecided[places].sum())
        for place, k in enumerate(ks):
            curve = [float("nan") if unknown[place] else float(part[place]) for part in (mean, low, high)]
            yield (one.judged.run.name, one.judged.verifier.label, tag, k, *curve, *counted, undecided)
