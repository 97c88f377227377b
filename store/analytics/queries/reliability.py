"""Whether a run can be relied on, and what is not known of it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter
from store.analytics.naming import find_runs, judged_by
from store.analytics.queries.counts import ProblemCounts, budgets, notes_on, problem_counts, refuse_designs
from store.analytics.result import Result, table_of
from store.analytics.statistics.curves import coverage_curves_unverified, mean_curve
from store.analytics.statistics.reliability import g_pass_at_k, mg_pass_at_k, pass_hat_k

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_RELIABLE = {
    "run": "s",
    "verifier": "s",
    "k": "i",
    "pass_hat_k": "f",
    "low": "f",
    "high": "f",
    "tau": "s",
    "g_pass_at_k": "f",
    "mg_pass_at_k": "f",
    "problems": "i",
}
_BOUNDS = {
    "run": "s",
    "verifier": "s",
    "k": "i",
    "lower": "f",
    "at_random": "f",
    "upper": "f",
    "low": "f",
    "high": "f",
    "undecided": "i",
    "unjudged": "i",
    "problems": "i",
}


def reliability(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """pass^k, G-pass@k and mG-pass@k of every run."""
    tau = _tau(parameters["tau"])
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    ks = budgets(parameters["k"], [one.n_min for one in counts])
    rows = [row for one in counts for row in _reliable(one, ks, tau, parameters["tau"])]
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        "quarantined": parameters["quarantined"],
    }
    return Result(table_of(_RELIABLE, rows), tuple(notes_on(counts, ks)), entry.filled(values))


def _tau(text: str) -> Fraction:
    try:
        tau = Fraction(text)
    except (ValueError, ZeroDivisionError):
        tau = Fraction(-1)
    if not 0 <= tau <= 1:
        raise BadParameter(f"Query reliability: tau must be a share such as 0.5 or 2/3, not {text!r}.")
    return tau


def _reliable(one: ProblemCounts, ks: list[int], tau: Fraction, shown: str) -> list[tuple[Any, ...]]:
    pairs = sorted(set(zip(one.n.tolist(), one.c.tolist(), strict=True)))
    place = {pair: i for i, pair in enumerate(pairs)}
    of_problem = [place[pair] for pair in zip(one.n.tolist(), one.c.tolist(), strict=True)]
    rows = []
    for k in ks:
        every = np.asarray(pass_hat_k(one.n, one.c, k), dtype=np.float64)
        if k > one.n_min:
            value, low, high, some, mean = (float("nan"),) * 5
        else:
            value, _, low, high, _ = (float(part[0]) for part in mean_curve(every[:, None]))
            some, mean = (
                float(np.array([kernel(n, c, k) for n, c in pairs], dtype=np.float64)[of_problem].mean())
                for kernel in (lambda n, c, k: g_pass_at_k(n, c, k, tau), mg_pass_at_k)
            )
        names = (one.judged.run.name, one.judged.verifier.label)
        rows.append((*names, k, value, low, high, shown, some, mean, one.n.size))
    return rows


def undecided_bounds(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Coverage with the samples that have no outcome all wrong, left out, and all correct."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        "quarantined": parameters["quarantined"],
    }
    sql = entry.filled(values)
    table = snapshot.table(sql)
    columns = {name: table.column(name).to_numpy().astype(np.int64) for name in table.column_names}
    parts = []
    for one in judged:
        mine = columns["run_id"] == one.run.run_id
        parts.append(tuple(columns[name][mine] for name in ("n", "c", "undecided", "unjudged")))
    ends = [int((n + undecided + unjudged).min()) if n.size else 0 for n, _, undecided, unjudged in parts]
    ks = budgets(parameters["k"], ends)
    rows: list[tuple[Any, ...]] = []
    for one, (n, c, undecided, unjudged) in zip(judged, parts, strict=True):
        if not ks:
            continue
        found = coverage_curves_unverified(c, n - c, undecided + unjudged, ks)
        curves = (found.lower.value, found.mar.value, found.upper.value, found.lower.low, found.upper.high)
        names, sums = (one.run.name, one.verifier.label), (int(undecided.sum()), int(unjudged.sum()), int(n.size))
        rows += [(*names, k, *(float(curve[i]) for curve in curves), *sums) for i, k in enumerate(ks)]
    return Result(table_of(_BOUNDS, rows), (), sql)
