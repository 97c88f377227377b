"""Curves of methods that pick one of k samples: what is common to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.naming import Judged, find_runs, judged_by
from store.analytics.queries.counts import ProblemCounts, budgets, notes_on, problem_counts, refuse_designs
from store.analytics.queries.kept_curves import digest, kept_curves
from store.analytics.queries.sources import rows_digest
from store.analytics.statistics.coverage import pass_at_k_grid
from store.analytics.statistics.curves import mean_curve

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

FloatArray = NDArray[np.float64]
#: The columns every selection has after its names and k.
SELECTED = {
    "selection_accuracy": "f",
    "low": "f",
    "high": "f",
    "coverage": "f",
    "gap_closed": "f",
    "problems": "i",
}
#: Values [P, K] of problems, by their places in the counts, at budgets ks.
Compute = Callable[[list[int], list[int]], FloatArray]


@dataclass(frozen=True)
class Asked:
    """What a selection query was asked: judged runs, their counts, and the budgets."""

    judged: Sequence[Judged]
    counts: Sequence[ProblemCounts]
    ks: list[int]


def asked(snapshot: Snapshot, parameters: Mapping[str, Any]) -> Asked:
    """The runs and budgets of a selection query; raises for runs without a fixed n."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    return Asked(judged, counts, budgets(parameters["k"], [one.n_min for one in counts]))


def kept_grid(snapshot: Snapshot, one: ProblemCounts, ks: Sequence[int], name: str, compute: Compute) -> FloatArray:
    """Values [P, K] kept beside the mirror under `name`; computed again where rows of the run, or code, changed."""
    run = one.judged.run.run_id
    mark = f"{rows_digest(snapshot, run)}-{digest()[:8]}"
    keys = [f"{mark}:{problem}" for problem in one.problem_ids.tolist()]
    file = snapshot.mirror / "kept" / name.split("-", 1)[0] / f"{run}-{name.split('-', 1)[1]}.json"
    return kept_curves(file, keys, ks, compute)


def one_by_one(curve: Callable[[int, list[int]], FloatArray]) -> Compute:
    """A computation of many problems from that of one, `curve(place, ks)` [K]."""
    return lambda places, ks: np.array([curve(place, ks) for place in places])


def selection_rows(
    one: ProblemCounts, ks: Sequence[int], grid: FloatArray, names: Sequence[str], more: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Rows of a selection: names, k, accuracy with interval, coverage, gap closed, problems, then `more`.

    `more` are values the same for every k, or arrays [K].
    """
    budget = np.array(ks)
    complete = budget <= one.n_min
    accuracy, _, low, high, _ = (np.where(complete, part, np.nan) for part in mean_curve(grid))
    ceiling = np.where(complete, mean_curve(pass_at_k_grid(one.n, one.c, budget))[0], np.nan)
    random = float((one.c / np.maximum(one.n, 1)).mean())
    with np.errstate(divide="ignore", invalid="ignore"):
        closed = np.where(ceiling > random, (accuracy - random) / (ceiling - random), np.nan)
    parts = [accuracy, low, high, ceiling, closed]
    rest = [np.broadcast_to(np.asarray(item, dtype=np.float64), budget.shape) for item in more]
    return [
        (*names, k, *(float(part[i]) for part in parts), one.n.size, *(float(part[i]) for part in rest))
        for i, k in enumerate(ks)
    ]


def selection_notes(found: Asked, *more: str) -> tuple[str, ...]:
    return (*more, *notes_on(found.counts, found.ks))
