"""Coverage curves of judged runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter
from store.analytics.naming import find_runs, judged_by
from store.analytics.queries.counts import ProblemCounts, budgets, notes_on, problem_counts
from store.analytics.queries.grids import solved_grids
from store.analytics.result import Result, table_of
from store.analytics.statistics.arguments import FloatArray
from store.analytics.statistics.curves import CoverageCurve, Policy, coverage_curves_unverified, curve_of_grid

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = {
    "run": "s",
    "verifier": "s",
    "k": "i",
    "coverage": "f",
    "low": "f",
    "high": "f",
    "problems": "i",
    "n_min": "i",
    "n_max": "i",
    "undecided": "i",
    "problems_used": "i",
    "lower": "f",
    "upper": "f",
}


def coverage(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Coverage at every k for every run; a k without an estimate gives nulls and a note."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    policy: Policy = parameters["policy"]
    for one in counts:
        if not one.fixed and policy == "bounds":
            raise BadParameter(
                f'Query coverage: policy bounds needs a fixed n, and run "{one.judged.run.name}" stopped by its '
                "verdicts; use strict or complete_case."
            )
    ends = [one.n_max if policy != "strict" and one.fixed else one.end for one in counts]
    ks = budgets(parameters["k"], ends)
    grids = solved_grids(counts, np.array(ks, dtype=np.int64)) if ks else []
    rows = [row for one, grid in zip(counts, grids, strict=bool(ks)) for row in _rows(one, ks, policy, grid)]
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        "k": ks or [1],
        "quarantined": parameters["quarantined"],
    }
    return Result(table_of(_COLUMNS, rows), tuple(notes_on(counts, ks, policy)), entry.filled(values))


def _rows(one: ProblemCounts, ks: Sequence[int], policy: Policy, grid: FloatArray) -> list[tuple[Any, ...]]:
    curve = curve_of_grid(grid, one.n, one.c, np.array(ks), policy, level=0.95, band=False, seed=0)
    low, high = _limits(one, ks, policy, curve)
    run, verifier = one.judged.run.name, one.judged.verifier.label
    fixed = (curve.problems, one.n_min, one.n_max, int(one.undecided.sum()))
    nothing = np.full(len(ks), np.nan)
    lower, upper = (curve.lower, curve.upper) if policy == "bounds" else (nothing, nothing)
    columns = zip(ks, curve.value, low, high, curve.problems_used, lower, upper, strict=True)
    return [
        (run, verifier, k, float(value), float(a), float(b), *fixed, int(used), float(least), float(most))
        for k, value, a, b, used, least, most in columns
    ]


def _limits(
    one: ProblemCounts, ks: Sequence[int], policy: Policy, curve: CoverageCurve
) -> tuple[FloatArray, FloatArray]:
    """The interval over problems; with undecided samples from where they were all wrong to where all correct."""
    if not one.undecided.any() or not one.fixed:
        return curve.low, curve.high
    whole = coverage_curves_unverified(one.c, one.n - one.c, one.undecided, ks, policy)
    low = np.where(np.isnan(curve.low), np.nan, np.fmin(curve.low, whole.lower.low))
    high = np.where(np.isnan(curve.high), np.nan, np.fmax(curve.high, whole.upper.high))
    return low, high
