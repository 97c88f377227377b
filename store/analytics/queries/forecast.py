"""Forecasts beyond the samples there are, each beside its track record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from store.analytics.concepts import CatalogueEntry
from store.analytics.lattice import k_lattice
from store.analytics.naming import Judged, find_runs, judged_by
from store.analytics.queries.counts import ProblemCounts, problem_counts
from store.analytics.queries.stopping import design_of
from store.analytics.result import Result, table_of
from store.analytics.statistics.forecasts import Forecast, forecast_coverage

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = {
    "run": "s",
    "verifier": "s",
    "law": "s",
    "k": "i",
    "ratio": "f",
    "coverage": "f",
    "low": "f",
    "high": "f",
    "all_low": "f",
    "all_high": "f",
    "backtest_error": "f",
    "misfit": "f",
    "n": "i",
}
HORIZON = 10
LIKELIHOOD_LAWS = ("beta_binomial", "zero_inflated")


def forecast(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Every law's forecast for every run; a run that cannot be forecast gives a note that says why."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    counts = [_all_samples(snapshot, one, parameters["quarantined"]) for one in judged]
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        "quarantined": parameters["quarantined"],
    }
    notes = [f"Forecasts end at {HORIZON} times the samples there are; beyond n no law is known to hold."]
    rows: list[tuple[Any, ...]] = []
    for one in counts:
        ks = parameters["k"] or k_lattice(HORIZON * one.n_min)
        found = _forecast(one, ks) if ks else None
        if not one.fixed:
            notes.append(
                f"{one.judged.run.name}: its samples were not drawn to a fixed n, so only laws fitted by likelihood "
                "are shown, which does not depend on the stopping rule; no backtest exists for it."
            )
        if found is None or found.refused:
            notes.append(_refusal(one, found))
        else:
            rows += _rows(one, found, ks)
    return Result(table_of(_COLUMNS, rows), tuple(notes), entry.filled(values))


def _all_samples(snapshot: Snapshot, one: Judged, quarantined: str) -> ProblemCounts:
    """The counts of every sample, whatever the design: a likelihood does not depend on the stopping rule."""
    as_drawn = replace(one, run=replace(one.run, design="fixed_n", stopping=None))
    counts = problem_counts(snapshot, [as_drawn], quarantined)[0]
    return replace(counts, judged=one, design=design_of(one.run))


def _forecast(one: ProblemCounts, ks: Sequence[int]) -> Forecast:
    if one.fixed:
        return forecast_coverage(one.n, one.c, ks, horizon_ratio=HORIZON)
    found = forecast_coverage(one.n, one.c, ks, LIKELIHOOD_LAWS, HORIZON, backtest_repeats=0)
    # How far a law is from a curve for a fixed n says nothing here.
    return replace(found, laws=tuple(replace(law, max_residual=math.nan) for law in found.laws))


def _refusal(one: ProblemCounts, found: Forecast | None) -> str:
    run = one.judged.run.name
    if found is None or found.refused is None:
        return f"{run} has no forecast: some problem has no judged sample."
    bound = f"; the mean success rate is below {found.rate_bound:.3g} (95 %)" if found.rate_bound is not None else ""
    return f"{run} has no forecast: {found.refused}{bound}."


def _rows(one: ProblemCounts, found: Forecast, ks: Sequence[int]) -> list[tuple[Any, ...]]:
    names = (one.judged.run.name, one.judged.verifier.label)
    return [
        (
            *names,
            law.law,
            k,
            float(found.ratio[i]),
            float(law.value[i]),
            float(law.low[i]),
            float(law.high[i]),
            float(found.low[i]),
            float(found.high[i]),
            law.backtest.mean_absolute_error if law.backtest else None,
            law.max_residual,
            found.n,
        )
        for law in found.laws
        for i, k in enumerate(ks)
    ]
