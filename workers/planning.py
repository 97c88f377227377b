"""Plan a run: what the store lacks becomes batches. Commit first, then enqueue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from store.batches import plan_generation, plan_verification, set_failed_aside
from store.connection import transaction
from store.errors import PassatkError
from store.runs import Run, set_reference
from store.stepping import plan_step
from store.verifier_registry import VerifierRow, attach_verifier, ensure_verifier, verifiers_of
from store.work import benchmark_format
from workers.options import verifier_with
from workers.verifiers import default_verifier, open_verifier
from workers.verifiers.spec import parse_verifier

#: Samples of one problem in one request to the engine: they share its prompt.
DRAW_SIZE = 64
#: Samples of one problem judged together.
JUDGE_SIZE = 64


class NothingToJudge(PassatkError):
    """The run has no samples to judge."""


@dataclass(frozen=True)
class Plan:
    """Batches that were planned, by kind."""

    draw: list[int]
    judge: list[int]

    @property
    def batch_ids(self) -> list[int]:
        return self.draw + self.judge


def plan_run(run: Run, draw_size: int = DRAW_SIZE) -> Plan:
    """Everything a run lacks: samples to draw, and stored samples its verifiers have not judged."""
    with transaction() as connection:
        set_failed_aside(connection, run)
        draw = _draw_batches(connection, run, draw_size)
        judge: list[int] = []
        for verifier in verifiers_of(connection, run.run_id):
            judge += plan_verification(connection, run, verifier.verifier_id, JUDGE_SIZE)
    return Plan(draw, judge)


def _draw_batches(connection: sa.Connection, run: Run, size: int) -> list[int]:
    if run.samples_per_problem is None:
        return []
    if run.stepwise:
        return plan_step(connection, run, size)
    return plan_generation(connection, run, size)


def plan_judging(run: Run, verifier_name: str | None, repeats: int | None = None) -> tuple[VerifierRow, list[int]]:
    """Batches for a verifier over a run's stored samples; the run's first verifier becomes its reference.

    `repeats`: in how many attempts each sample is judged from now on; None leaves it as it is.
    """
    with transaction() as connection:
        name = verifier_name or default_verifier(benchmark_format(connection, run.benchmark_id))
        verifier = register_verifier(connection, name)
        attach_verifier(connection, run.run_id, verifier.verifier_id, repeats)
        if run.reference_verifier_id is None:
            set_reference(connection, run.run_id, verifier.verifier_id)
        set_failed_aside(connection, run)
        return verifier, plan_verification(connection, run, verifier.verifier_id, JUDGE_SIZE)


def spelled_out(run: Run, verifier: str | None, options: Sequence[str]) -> str | None:
    """A verifier and NAME=VALUE options beside it in one text; the run's usual verifier where it is None."""
    if not options:
        return verifier
    if verifier is None:
        with transaction() as connection:
            verifier = default_verifier(benchmark_format(connection, run.benchmark_id))
    name, values = verifier_with(verifier, options)
    return f"{name}:{json.dumps(values)}"


def register_verifier(connection: sa.Connection, text: str) -> VerifierRow:
    """The row of one of this passatk's verifiers, with its version; `text` is its name, with options after a colon."""
    name, options = parse_verifier(text)
    verifier = open_verifier(name, options)
    try:
        # A verifier may say its options in full (absolute folders), as workers elsewhere need them.
        return ensure_verifier(connection, verifier.name, verifier.version, getattr(verifier, "options", options))
    finally:
        verifier.close()
