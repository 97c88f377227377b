"""The catalogued queries: those that are plain SQL, and those whose numbers come from the statistics over SQL's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from store.analytics.concepts import CatalogueEntry
from store.analytics.queries.agreement import score_thresholds, verifier_agreement
from store.analytics.queries.comparison import coverage_difference
from store.analytics.queries.cost import cost
from store.analytics.queries.coverage import coverage
from store.analytics.queries.forecast import forecast
from store.analytics.queries.plain import of_run, of_runs, pass_rates, run_summary, settings_of_runs
from store.analytics.queries.samples import answer_clusters, sample, sample_verdicts, samples
from store.analytics.queries.selection import selection
from store.analytics.queries.target import cost_to_target
from store.analytics.result import Result

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

Answer = Callable[["Snapshot", CatalogueEntry, Mapping[str, Any]], Result]

_ANSWERS: dict[str, Answer] = {
    "answer_clusters": answer_clusters,
    "cost": cost,
    "cost_to_target": cost_to_target,
    "coverage": coverage,
    "coverage_difference": coverage_difference,
    "flaky_problems": of_run,
    "forecast": forecast,
    "judged_by_hour": of_runs,
    "pass_rates": pass_rates,
    "run_summary": run_summary,
    "problem_difficulty": of_runs,
    "run_progress": of_runs,
    "run_settings": settings_of_runs,
    "run_verifiers": of_runs,
    "sample": sample,
    "sample_verdicts": sample_verdicts,
    "samples": samples,
    "score_thresholds": score_thresholds,
    "selection": selection,
    "suspicious_references": of_runs,
    "token_use": of_runs,
    "truncation": of_runs,
    "verifier_agreement": verifier_agreement,
}


def answer(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Answer a catalogued query with checked parameters."""
    return _ANSWERS[entry.name](snapshot, entry, parameters)
