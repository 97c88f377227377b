"""The cheapest way to a given coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from store.analytics.concepts import CatalogueEntry, concept
from store.analytics.errors import BadParameter
from store.analytics.naming import find_runs, judged_by
from store.analytics.queries.cost import cost
from store.analytics.queries.counts import ProblemCounts, notes_on, problem_counts, refuse_designs
from store.analytics.queries.pricing import Paying
from store.analytics.result import Result, table_of
from store.analytics.statistics.coverage import pass_at_k_grid

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = {
    "run": "s",
    "verifier": "s",
    "target": "f",
    "reached": "b",
    "k": "i",
    "coverage": "f",
    "usd_per_problem": "f",
    "usd_total": "f",
    "usd_per_solved": "f",
    "cheapest": "b",
    "n_min": "i",
}


def cost_to_target(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """The fewest samples per problem that reach the target, for every run, and what they cost."""
    target = parameters["target"]
    if not 0 < target <= 1:
        raise BadParameter(f"Query cost_to_target: target = {target:g} is not a share between 0 and 1.")
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    found = []
    notes: list[str] = []
    for one in counts:
        k = fewest_samples(one, target)
        asked = {name: value for name, value in parameters.items() if name not in ("target", "run")}
        asked |= {"run": [one.judged.run.name]}
        priced = cost(snapshot, concept("cost"), asked | {"k": [k or max(one.n_min, 1)]})
        found.append((one, k, priced.records()[0]))
        notes += priced.notes
    cheapest = min((priced["usd_total"] for _, k, priced in found if k), default=None)
    rows = [_row(one, k, priced, target, cheapest) for one, k, priced in found]
    sql = Paying.asked(snapshot, entry.name, parameters).sql(judged)
    return Result(table_of(_COLUMNS, rows), tuple(dict.fromkeys([*notes_on(counts, []), *notes])), sql)


def _row(
    one: ProblemCounts, k: int | None, priced: Mapping[str, Any], target: float, cheapest: float | None
) -> tuple[Any, ...]:
    money = [priced[name] if k else None for name in ("usd_per_problem", "usd_total", "usd_per_solved")]
    best = k is not None and priced["usd_total"] == cheapest
    names = (one.judged.run.name, one.judged.verifier.label)
    return (*names, target, k is not None, k, priced["coverage"], *money, best, one.n_min)


def fewest_samples(one: ProblemCounts, target: float) -> int | None:
    """Smallest k whose coverage is at least `target`; None when even n does not reach it. Coverage never falls in k."""

    def coverage(k: int) -> float:
        return float(pass_at_k_grid(one.n, one.c, np.array([k])).mean())

    low, high = 1, one.n_min
    if high < 1 or coverage(high) < target:
        return None
    while low < high:
        middle = (low + high) // 2
        if coverage(middle) >= target:
            high = middle
        else:
            low = middle + 1
    return low
