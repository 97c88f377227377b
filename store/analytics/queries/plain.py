"""Queries that are plain SQL over the tallies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from store.analytics.concepts import CatalogueEntry
from store.analytics.naming import find_runs, judged_by, snapshot_day
from store.analytics.queries.answers import readers_of
from store.analytics.queries.pricing import day_of
from store.analytics.result import Result

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot


def run_summary(snapshot: Snapshot, entry: CatalogueEntry, _: Mapping[str, Any]) -> Result:
    """Every run."""
    sql = entry.filled({"price_day": snapshot_day(snapshot)})
    return Result(snapshot.table(sql), sql=sql)


def pass_rates(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Every problem of the runs."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    readers = [readers_of(snapshot, one) for one in judged]
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        # -1 is nobody: answers are then unknown, which is not the same as no answer.
        "answers_from_ids": [found[0].verifier_id if found else -1 for found in readers],
        "quarantined": parameters["quarantined"],
    }
    sql = entry.filled(values)
    notes = [
        f"{one.run.name}: {int(total):,} undecided samples are left out of n."
        for one, total in zip(judged, _undecided(snapshot, values), strict=True)
        if total
    ]
    return Result(snapshot.table(sql), tuple(notes), sql)


def of_runs(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """A query over runs, all of them when none is named."""
    runs = find_runs(snapshot, parameters["run"])
    values = {name: value for name, value in parameters.items() if name != "run"}
    sql = entry.filled(values | {"run_ids": [run.run_id for run in runs] or [-1]})
    return Result(snapshot.table(sql), sql=sql)


def settings_of_runs(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """How runs were made, at the prices of the snapshot's day."""
    runs = find_runs(snapshot, parameters["run"])
    sql = entry.filled({"run_ids": [run.run_id for run in runs] or [-1], "price_day": snapshot_day(snapshot)})
    return Result(snapshot.table(sql), sql=sql)


def stage_costs(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Costs by stage at the prices of a day."""
    runs = find_runs(snapshot, parameters["run"])
    day = day_of(snapshot, entry.name, parameters["price_day"])
    sql = entry.filled({"run_ids": [run.run_id for run in runs] or [-1], "price_day": day})
    return Result(snapshot.table(sql), sql=sql)


def of_run(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """A query over one run."""
    run = find_runs(snapshot, [parameters["run"]])[0]
    sql = entry.filled({"run_id": run.run_id, "run": run.name})
    return Result(snapshot.table(sql), sql=sql)


def _undecided(snapshot: Snapshot, values: Mapping[str, list[int]]) -> list[int]:
    totals = {
        (row["run_id"], row["verifier_id"]): row["undecided"]
        for row in snapshot.rows(
            "SELECT run_id, verifier_id, sum(undecided)::BIGINT AS undecided FROM problem_counts GROUP BY ALL"
        )
    }
    return [totals.get(pair, 0) for pair in zip(values["run_ids"], values["verifier_ids"], strict=True)]
