"""What the mirror copies: the contract views of schema `analytics`, facts as segments, the rest whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """A large append-only view: its key in sorting order, and whether verifying batches (or drawing ones) write it."""

    name: str
    key: tuple[str, ...]
    judged: bool
    #: Text-heavy rows get small row groups, so that one text is fetched without reading a megabyte of others.
    row_group: int


_SAMPLE = ("run_id", "problem_id", "sample_index")
_VERDICT = ("run_id", "verifier_id", "problem_id", "sample_index", "attempt")

FACTS = (
    Fact("samples", _SAMPLE, False, 122_880),
    Fact("completions", _SAMPLE, False, 4_096),
    Fact("verdicts", _VERDICT, True, 122_880),
    Fact("verifier_outputs", _VERDICT, True, 8_192),
)

#: Copied whole at every refresh: few rows, and they may change.
DIMENSIONS = ("benchmarks", "problems", "models", "prices", "engines", "verifiers", "runs", "batches")

#: The folder under which a run's segments lie; engines that know Hive partitions read the run's key from it.
PARTITION = "run_id"
