"""What the mirror copies: the contract views of schema `analytics`, facts as segments, the rest whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """A large append-only view: its key in sorting order, and which batches write it."""

    name: str
    key: tuple[str, ...]
    #: Whether verifying batches write it, or drawing ones; None where its rows name no batch.
    judged: bool | None
    #: Text-heavy rows get small row groups, so that one text is fetched without reading a megabyte of others.
    row_group: int


_SAMPLE = ("run_id", "problem_id", "sample_index")
_VERDICT = ("run_id", "verifier_id", "problem_id", "sample_index", "attempt")
_PAIR = ("run_id", "verifier_id", "problem_id", "first_index", "second_index", "attempt")

FACTS = (
    Fact("samples", _SAMPLE, False, 122_880),
    Fact("completions", _SAMPLE, False, 4_096),
    Fact("prompts", ("run_id", "problem_id"), None, 2_048),
    Fact("sample_logprobs", _SAMPLE, False, 4_096),
    Fact("sample_sources", _SAMPLE, False, 122_880),
    Fact("verdicts", _VERDICT, True, 122_880),
    Fact("verifier_outputs", _VERDICT, True, 8_192),
    Fact("test_outcomes", (*_VERDICT, "test_id"), True, 122_880),
    Fact("step_scores", _VERDICT, True, 61_440),
    Fact("verdict_costs", _VERDICT, True, 122_880),
    Fact("preferences", _PAIR, True, 122_880),
)

#: Copied whole at every refresh: few rows, and they may change. Left out of the mirror are `worker_reports` and
#: `queue_depths`, which are live data that the sweeper removes, and `answer_classes`, whose outcome every verdict
#: carries as `answer_class`.
DIMENSIONS = (
    "benchmarks",
    "problems",
    "models",
    "prices",
    "engines",
    "environments",
    "verifiers",
    "runs",
    "batches",
    "imports",
    "quarantines",
    "generated_tests",
    "stage_costs",
    "workers",
)

#: A worker's sign of life alone makes no new state of the mirror.
LIVE = ("workers",)

#: The folder under which a run's segments lie; engines that know Hive partitions read the run's key from it.
PARTITION = "run_id"
