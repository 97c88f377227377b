"""Questions to the stored samples: the mirror, its snapshots, and the statistics over them.

    import store.analytics as pa

    with pa.open() as snapshot:
        print(pa.coverage(snapshot, "my-run", k=[1, 10, 100]).pandas())

Names are loaded when they are first asked for: the process that runs analysts' SQL imports this package too, and must
be confined before any thread or library is there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.analytics.asking import open  # noqa: A004 - as people say it: `pa.open()`
    from store.analytics.asking_choice import (
        answer_clusters,
        best_of_k,
        false_positives,
        flaky_problems,
        generated_test_agreement,
        judged_by_hour,
        preference_agreement,
        resample_until_accept,
        sample,
        sample_verdicts,
        samples,
        score_thresholds,
        selection,
        suspicious_references,
        verifier_agreement,
        weighted_vote,
    )
    from store.analytics.asking_money import (
        cost,
        cost_table,
        cost_to_target,
        coverage_at_budget,
        flops,
        pareto,
        stage_costs,
        token_use,
    )
    from store.analytics.asking_runs import (
        coverage,
        coverage_by_tag,
        coverage_difference,
        forecast,
        mcnemar,
        pass_rates,
        problem_difficulty,
        reliability,
        run_progress,
        run_settings,
        run_summary,
        run_verifiers,
        sample_size,
        truncation,
        undecided_bounds,
    )
    from store.analytics.concepts import CatalogueEntry
    from store.analytics.errors import NoSnapshot
    from store.analytics.lattice import k_lattice
    from store.analytics.result import Result
    from store.analytics.snapshot import Snapshot, TableInfo, open_snapshot
    from store.analytics.sql_runner import SqlLimits, SqlResult, run_sql

__all__ = [
    "CatalogueEntry",
    "NoSnapshot",
    "Result",
    "Snapshot",
    "SqlLimits",
    "SqlResult",
    "TableInfo",
    "answer_clusters",
    "best_of_k",
    "cost",
    "cost_table",
    "cost_to_target",
    "coverage",
    "coverage_at_budget",
    "coverage_by_tag",
    "coverage_difference",
    "false_positives",
    "flaky_problems",
    "flops",
    "forecast",
    "generated_test_agreement",
    "judged_by_hour",
    "k_lattice",
    "mcnemar",
    "open",
    "open_snapshot",
    "pareto",
    "pass_rates",
    "preference_agreement",
    "problem_difficulty",
    "reliability",
    "resample_until_accept",
    "run_progress",
    "run_settings",
    "run_sql",
    "run_summary",
    "run_verifiers",
    "sample",
    "sample_size",
    "sample_verdicts",
    "samples",
    "score_thresholds",
    "selection",
    "stage_costs",
    "suspicious_references",
    "token_use",
    "truncation",
    "undecided_bounds",
    "verifier_agreement",
    "weighted_vote",
]

_HOME = {
    "CatalogueEntry": "concepts",
    "NoSnapshot": "errors",
    "Result": "result",
    "Snapshot": "snapshot",
    "SqlLimits": "sql_runner",
    "SqlResult": "sql_runner",
    "TableInfo": "snapshot",
    "answer_clusters": "asking_choice",
    "best_of_k": "asking_choice",
    "cost": "asking_money",
    "cost_table": "asking_money",
    "cost_to_target": "asking_money",
    "coverage": "asking_runs",
    "coverage_at_budget": "asking_money",
    "coverage_by_tag": "asking_runs",
    "coverage_difference": "asking_runs",
    "false_positives": "asking_choice",
    "flaky_problems": "asking_choice",
    "flops": "asking_money",
    "forecast": "asking_runs",
    "generated_test_agreement": "asking_choice",
    "judged_by_hour": "asking_choice",
    "k_lattice": "lattice",
    "mcnemar": "asking_runs",
    "open": "asking",
    "open_snapshot": "snapshot",
    "pareto": "asking_money",
    "pass_rates": "asking_runs",
    "problem_difficulty": "asking_runs",
    "reliability": "asking_runs",
    "resample_until_accept": "asking_choice",
    "run_progress": "asking_runs",
    "run_settings": "asking_runs",
    "run_sql": "sql_runner",
    "run_summary": "asking_runs",
    "run_verifiers": "asking_runs",
    "sample": "asking_choice",
    "sample_size": "asking_runs",
    "sample_verdicts": "asking_choice",
    "samples": "asking_choice",
    "score_thresholds": "asking_choice",
    "selection": "asking_choice",
    "stage_costs": "asking_money",
    "suspicious_references": "asking_choice",
    "token_use": "asking_money",
    "truncation": "asking_runs",
    "undecided_bounds": "asking_runs",
    "preference_agreement": "asking_choice",
    "verifier_agreement": "asking_choice",
    "weighted_vote": "asking_choice",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
