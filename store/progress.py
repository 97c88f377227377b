"""What the store says of a run's progress: plain counts, read from the rows themselves."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import sqlalchemy as sa

from store.connection import driver
from store.fingerprint import text_hash
from store.run_control import run_state
from store.runs import Run


@dataclass(frozen=True)
class VerifierProgress:
    """How far one verifier is with a run, in samples."""

    verifier: str
    correct: int
    incorrect: int
    undecided: int

    @property
    def judged(self) -> int:
        return self.correct + self.incorrect + self.undecided


@dataclass(frozen=True)
class RunProgress:
    """How far a run is. `samples_wanted` is None for imported runs; batches are counted by state.

    `truncated` samples were cut by the token limit, `empty` ones have no text at all.
    """

    problems: int
    samples: int
    samples_wanted: int | None
    completion_tokens: int
    truncated: int
    batches: dict[str, int]
    errors: list[str]
    verifiers: list[VerifierProgress]
    empty: int = 0
    run_state: str = "open"

    @property
    def open_batches(self) -> int:
        return self.batches.get("ready", 0) + self.batches.get("leased", 0)

    @property
    def failed_batches(self) -> int:
        return self.batches.get("failed", 0)


def run_progress(connection: sa.Connection, run: Run) -> RunProgress:
    """Counts of a run's samples, verdicts and batches, and the distinct errors of failed batches."""
    raw = driver(connection)
    key = {"run": run.run_id, "benchmark": run.benchmark_id}
    problems = raw.execute(b"SELECT problem_count FROM store.benchmarks WHERE benchmark_id = %(benchmark)s", key)
    samples = raw.execute(
        b"SELECT count(*), coalesce(sum(completion_tokens), 0)::bigint,"
        b" count(*) FILTER (WHERE finish_reason = 'length'), count(*) FILTER (WHERE completion_hash = %(nothing)s)"
        b" FROM store.samples WHERE run_id = %(run)s",
        key | {"nothing": text_hash("")},
    )
    batches = raw.execute(b"SELECT state, count(*) FROM store.batches WHERE run_id = %(run)s GROUP BY state", key)
    errors = raw.execute(
        b"SELECT DISTINCT error FROM store.batches WHERE run_id = %(run)s AND state = 'failed' AND error IS NOT NULL"
        b" LIMIT 5",
        key,
    )
    count = int((problems.fetchone() or (0,))[0])
    drawn, tokens, truncated, empty = samples.fetchone() or (0, 0, 0, 0)
    return RunProgress(
        problems=count,
        samples=drawn,
        samples_wanted=_wanted(run, count),
        completion_tokens=tokens,
        truncated=truncated,
        batches=dict(batches.fetchall()),
        errors=[row[0] for row in errors.fetchall()],
        verifiers=_verifier_progress(connection, run),
        empty=empty,
        run_state=run_state(connection, run.run_id),
    )


def _wanted(run: Run, problems: int) -> int | None:
    """Samples that the run may draw at most: a stopping rule or a budget may end it earlier."""
    if run.samples_per_problem is None:
        return None
    return min(run.samples_per_problem * problems, run.budget_samples or sys.maxsize)


def _verifier_progress(connection: sa.Connection, run: Run) -> list[VerifierProgress]:
    query = b"""
        SELECT v.name || '@' || v.version,
               coalesce(sum(c.c), 0)::bigint, coalesce(sum(c.n - c.c), 0)::bigint, coalesce(sum(c.undecided), 0)::bigint
        FROM store.verifiers AS v
        LEFT JOIN analytics.problem_counts AS c ON c.verifier_id = v.verifier_id AND c.run_id = %(run)s
        WHERE v.verifier_id IN (SELECT verifier_id FROM store.run_verifiers WHERE run_id = %(run)s)
        GROUP BY v.verifier_id ORDER BY v.verifier_id
    """
    return [VerifierProgress(*row) for row in driver(connection).execute(query, {"run": run.run_id})]
