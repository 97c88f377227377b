"""The tables of the store. Hot rows (samples, verdicts) are narrow; text lives in tables of its own.

Samples and verdicts carry no foreign keys: they are written only together with the batch they belong to, and a
check per row would halve the writing rate. Everything small is held together by named foreign keys.
"""

from __future__ import annotations

from store.tables.columns import SCHEMA, metadata
from store.tables.experiments import (
    benchmarks,
    generated_tests,
    models,
    prices,
    problems,
    quarantines,
    run_verifiers,
    runs,
    stage_costs,
    verifiers,
)
from store.tables.samples import completions, prompts, sample_logprobs, sample_sources, samples
from store.tables.verdicts import (
    answer_classes,
    environments,
    preferences,
    step_scores,
    test_outcomes,
    verdict_costs,
    verdicts,
    verifier_outputs,
)
from store.tables.work import batches, engines, imports, queue_depths, worker_reports, workers

__all__ = [
    "SCHEMA",
    "answer_classes",
    "batches",
    "benchmarks",
    "completions",
    "engines",
    "environments",
    "generated_tests",
    "imports",
    "metadata",
    "models",
    "preferences",
    "prices",
    "problems",
    "prompts",
    "quarantines",
    "queue_depths",
    "run_verifiers",
    "runs",
    "sample_logprobs",
    "sample_sources",
    "samples",
    "stage_costs",
    "step_scores",
    "test_outcomes",
    "verdict_costs",
    "verdicts",
    "verifier_outputs",
    "verifiers",
    "worker_reports",
    "workers",
]
