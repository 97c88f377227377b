"""Judges of pairs: whether they agree with themselves when a pair is swapped, and with the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import NothingJudged
from store.analytics.naming import Judged, find_runs, judged_by, verifiers
from store.analytics.result import Result, table_of
from store.analytics.statistics.intervals import clustered_error, wilson_interval

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

FloatArray = NDArray[np.float64]
Share = tuple[float | None, float | None, float | None]
_COLUMNS = {
    "run": "s",
    "verifier": "s",
    "reference": "s",
    "pairs": "i",
    "consistent": "f",
    "consistent_low": "f",
    "consistent_high": "f",
    "first_wins": "f",
    "first_wins_low": "f",
    "first_wins_high": "f",
    "mixed_pairs": "i",
    "correct_wins": "f",
    "correct_wins_low": "f",
    "correct_wins_high": "f",
    "undecided": "i",
    "problems": "i",
}
_CELLS = ("problem_id", "forwards", "backwards", "first_wins", "with_winner", "undecided", "lead")


def preference_agreement(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Every judge that compared pairs of the runs."""
    truths = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["reference"])
    values = {
        "run_ids": [one.run.run_id for one in truths],
        "reference_ids": [one.verifier.verifier_id for one in truths],
        "quarantined": parameters["quarantined"],
    }
    sql = entry.filled(values)
    table = snapshot.table(sql)
    run, judge = (table.column(name).to_numpy().astype(np.int64) for name in ("run_id", "verifier_id"))
    cells = {name: table.column(name).to_numpy().astype(np.float64) for name in _CELLS}
    labels = {key: verifier.label for key, verifier in verifiers(snapshot).items()}
    rows = []
    for one in truths:
        judges = np.unique(judge[run == one.run.run_id]).tolist()
        if not judges:
            raise NothingJudged(
                f'No judge compared pairs of run "{one.run.name}": `passatk prefer --run {one.run.name} --judge MODEL`.'
            )
        for key in judges:
            mine = (run == one.run.run_id) & (judge == key)
            rows.append(_row(one, labels[key], {name: cell[mine] for name, cell in cells.items()}))
    return Result(table_of(_COLUMNS, rows), sql=sql)


def _row(truth: Judged, judge: str, cells: Mapping[str, FloatArray]) -> tuple[Any, ...]:
    both = ~np.isnan(cells["forwards"]) & ~np.isnan(cells["backwards"])
    problem, forwards, backwards, lead = (cells[name][both] for name in ("problem_id", "forwards", "backwards", "lead"))
    agrees = forwards == backwards
    # lead is 2 or -2 where the reference calls one correct and the other not; 1 where it left one undecided.
    mixed = np.abs(lead) == 2
    preferred = np.where(agrees, forwards, 0.0) * np.sign(lead)
    won, shown = cells["first_wins"].astype(np.int64), cells["with_winner"].astype(np.int64)
    first = np.repeat(np.tile([1.0, 0.0], won.size), np.column_stack([won, shown - won]).ravel())
    return (
        truth.run.name,
        judge,
        truth.verifier.label,
        int(both.sum()),
        *_share(agrees.astype(np.float64), problem),
        *_share(first, np.repeat(cells["problem_id"], shown)),
        int(mixed.sum()),
        *_share((1 + preferred[mixed]) / 2, problem[mixed]),
        int(cells["undecided"].sum()),
        int(np.unique(problem).size),
    )


def _share(values: FloatArray, problem: FloatArray) -> Share:
    """Mean and its interval, the problems being clusters; nothing of nothing."""
    if not values.size:
        return None, None, None
    estimate = clustered_error(values, problem.tolist())
    interval = wilson_interval(estimate)
    return float(values.mean()), interval.lo if interval else None, interval.hi if interval else None
