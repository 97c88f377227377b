"""The catalogued queries: those that are plain SQL, and those whose numbers come from the statistics over SQL's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from store.analytics.concepts import CatalogueEntry
from store.analytics.queries.agreement import score_thresholds, verifier_agreement
from store.analytics.queries.best_of import best_of_k
from store.analytics.queries.comparison import coverage_difference
from store.analytics.queries.cost import cost
from store.analytics.queries.coverage import coverage
from store.analytics.queries.forecast import forecast
from store.analytics.queries.money import cost_table, coverage_at_budget, flops, pareto
from store.analytics.queries.pairs import mcnemar, sample_size
from store.analytics.queries.plain import of_run, of_runs, pass_rates, run_summary, settings_of_runs, stage_costs
from store.analytics.queries.preferences import preference_agreement
from store.analytics.queries.reliability import reliability, undecided_bounds
from store.analytics.queries.resampling import false_positives, resample_until_accept
from store.analytics.queries.samples import answer_clusters, sample, sample_verdicts, samples
from store.analytics.queries.selection import selection
from store.analytics.queries.tags import coverage_by_tag
from store.analytics.queries.target import cost_to_target
from store.analytics.queries.tests_agreeing import generated_test_agreement
from store.analytics.queries.weighted import weighted_vote
from store.analytics.result import Result

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

Answer = Callable[["Snapshot", CatalogueEntry, Mapping[str, Any]], Result]

_ANSWERS: dict[str, Answer] = {
    "answer_clusters": answer_clusters,
    "best_of_k": best_of_k,
    "cost_table": cost_table,
    "coverage_at_budget": coverage_at_budget,
    "false_positives": false_positives,
    "flops": flops,
    "generated_test_agreement": generated_test_agreement,
    "mcnemar": mcnemar,
    "pareto": pareto,
    "preference_agreement": preference_agreement,
    "reliability": reliability,
    "resample_until_accept": resample_until_accept,
    "sample_size": sample_size,
    "stage_costs": stage_costs,
    "undecided_bounds": undecided_bounds,
    "weighted_vote": weighted_vote,
    "cost": cost,
    "cost_to_target": cost_to_target,
    "coverage": coverage,
    "coverage_by_tag": coverage_by_tag,
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
