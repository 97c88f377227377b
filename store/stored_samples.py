"""Stored samples with what is known of them, streamed from Postgres for exports and training data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.rows import class_row

from store.connection import driver, engine, thrown_away_when_interrupted
from store.errors import PassatkError
from store.runs import Run
from store.tables import runs, verifiers

#: Rows fetched from the server at a time.
_ROWS_AT_ONCE = 2000
ORDERS = {"problem": "position, run_id, sample_index", "index": "sample_index, position, run_id"}


class BadSelection(PassatkError):
    """A condition on samples cannot be evaluated."""


class VerifierUnclear(PassatkError):
    """It is not said whose verdicts count."""


@dataclass(frozen=True)
class StoredSample:
    """One sample with its problem and the verdict that counts. `prompt`: what the model was given, where known."""

    run: str
    run_id: int
    benchmark: str
    model: str
    problem_id: int
    problem: str
    position: int
    question: str
    prompt: str
    reference_answer: str | None
    sample_index: int
    completion: str
    completion_hash: int
    prompt_tokens: int | None
    completion_tokens: int | None
    finish_reason: str | None
    latency_seconds: float | None
    verifier: str | None
    outcome: str | None
    reason: str | None
    answer: str | None
    score: float | None

    @property
    def key(self) -> dict[str, Any]:
        """Where the sample is in the store."""
        return {"run": self.run, "problem": self.problem, "sample_index": self.sample_index}


@cache
def _sql() -> str:
    return files("store").joinpath("sql", "stored_samples.sql").read_text(encoding="utf-8")


@contextmanager
def _reading() -> Iterator[psycopg.Connection[Any]]:
    """A transaction that can write nothing, whatever a condition says."""
    with (
        engine().connect().execution_options(postgresql_readonly=True) as connection,
        connection.begin(),
        thrown_away_when_interrupted(connection),
    ):
        yield driver(connection)


def stored_samples(
    wanted: list[Run], verifier_ids: dict[int, int | None], where: str | None = None, order: str = "problem"
) -> Iterator[StoredSample]:
    """The samples of some runs; `verifier_ids` gives for each run whose verdicts count.

    `where` is a condition in SQL over the columns of `StoredSample`. Raises BadSelection.
    """
    # A percent sign of the user's stands for itself, not for a value.
    condition = f"WHERE ({where.replace('%', '%%')})" if where else ""
    query = f"SELECT * FROM ({_sql()}) AS samples {condition} ORDER BY {ORDERS[order]}"  # noqa: S608 - read only
    values = {
        "runs": [run.run_id for run in wanted],
        "verifiers": json.dumps(verifier_ids),
    }
    with _reading() as connection, connection.cursor("samples", row_factory=class_row(StoredSample)) as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        try:
            cursor.execute(query.encode(), values)
            yield from cursor
        except (psycopg.errors.ProgrammingError, psycopg.errors.DataError, psycopg.errors.InternalError) as error:
            told = str(error).splitlines()[0]
            raise BadSelection(f'The condition "{where}" cannot be evaluated: {told}.') from error


def verifier_of(connection: sa.Connection, run: Run, name: str | None) -> int | None:
    """The key of the verifier whose verdicts count: the one named, or the run's reference (None where it has none)."""
    if name is None:
        return connection.scalar(sa.select(runs.c.reference_verifier_id).where(runs.c.run_id == run.run_id))
    bare, _, version = name.rpartition("@") if "@" in name else (name, "", "")
    label = verifiers.c.name + "@" + verifiers.c.version
    judged = sa.text("verifier_id IN (SELECT verifier_id FROM analytics.problem_counts WHERE run_id = :run)")
    query = sa.select(verifiers.c.verifier_id, label).where(judged).order_by(verifiers.c.verifier_id.desc())
    found = connection.execute(query, {"run": run.run_id}).all()
    chosen = [row[0] for row in found if row[1] == name or (not version and row[1].rpartition("@")[0] == bare)]
    if not chosen:
        known = ", ".join(row[1] for row in found) or "none"
        raise VerifierUnclear(f'Run "{run.name}" has no verdicts of "{name}"; it has those of: {known}.')
    return int(chosen[0])
