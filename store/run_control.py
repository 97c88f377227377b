"""Holding a run, letting it go on, ending it, putting it first; and what was set aside."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from store.connection import driver
from store.errors import PassatkError
from store.runs import Run
from store.tables import runs


class BadPriority(PassatkError):
    """A priority cannot be stored."""


@dataclass(frozen=True)
class FailedBatch:
    """A batch that was set aside; `verifier` is None for one that draws."""

    batch_id: int
    problem_key: str
    verifier: str | None
    first_index: int
    end_index: int
    tries: int
    error: str


def pause(connection: sa.Connection, run: Run) -> int:
    """Take nothing more of a run; what workers hold is finished. Returns how many batches wait."""
    _set_state(connection, run, "paused")
    return _count(connection, run, "ready")


def resume(connection: sa.Connection, run: Run) -> list[int]:
    """Go on with a paused or cancelled run; the batches that wait, whose messages must be sent again."""
    _set_state(connection, run, "open")
    query = b"""
        WITH waiting AS (
            SELECT batch_id FROM store.batches WHERE run_id = %s AND state = 'ready' ORDER BY batch_id FOR UPDATE
        )
        UPDATE store.batches AS b SET enqueued_at = NULL FROM waiting AS w WHERE b.batch_id = w.batch_id
        RETURNING b.batch_id
    """
    return sorted(row[0] for row in driver(connection).execute(query, [run.run_id]))


def cancel(connection: sa.Connection, run: Run) -> int:
    """End a run: what waits is dropped, what is held is finished, what is stored stays. Returns how many waited."""
    _set_state(connection, run, "cancelled")
    query = b"""
        WITH waiting AS (
            SELECT batch_id FROM store.batches WHERE run_id = %s AND state = 'ready' ORDER BY batch_id FOR UPDATE
        )
        UPDATE store.batches AS b SET state = 'cancelled' FROM waiting AS w WHERE b.batch_id = w.batch_id
    """
    return driver(connection).execute(query, [run.run_id]).rowcount


def set_priority(connection: sa.Connection, run_id: int, priority: int) -> None:
    """Runs of higher priority are worked off first; 0 is usual."""
    if not -1000 <= priority <= 1000:
        raise BadPriority(f"A priority of {priority} cannot be: give -1000 to 1000; 0 is usual, higher goes first.")
    connection.execute(sa.update(runs).where(runs.c.run_id == run_id).values(priority=priority))


def run_state(connection: sa.Connection, run_id: int) -> str:
    """open, paused or cancelled."""
    return str(connection.execute(sa.select(runs.c.state).where(runs.c.run_id == run_id)).scalar_one())


def failed_batches(connection: sa.Connection, run: Run) -> list[FailedBatch]:
    """What was set aside, with the error of the last try."""
    query = b"""
        SELECT b.batch_id, p.key, v.name || '@' || v.version, b.first_index, b.end_index, b.tries,
               coalesce(b.error, 'no error was kept')
        FROM store.batches AS b
        JOIN store.problems AS p ON p.problem_id = b.problem_id
        LEFT JOIN store.verifiers AS v ON v.verifier_id = b.verifier_id
        WHERE b.run_id = %s AND b.state = 'failed'
        ORDER BY b.batch_id
    """
    return [FailedBatch(*row) for row in driver(connection).execute(query, [run.run_id])]


def retry_failed(connection: sa.Connection, run: Run) -> list[int]:
    """Give everything that was set aside all its tries again; the batches, whose messages must be sent."""
    query = b"""
        UPDATE store.batches SET state = 'ready', tries = 0, enqueued_at = NULL
        WHERE run_id = %s AND state = 'failed' RETURNING batch_id
    """
    return sorted(row[0] for row in driver(connection).execute(query, [run.run_id]))


def _set_state(connection: sa.Connection, run: Run, state: str) -> None:
    connection.execute(sa.update(runs).where(runs.c.run_id == run.run_id).values(state=state))


def _count(connection: sa.Connection, run: Run, state: str) -> int:
    query = b"SELECT count(*) FROM store.batches WHERE run_id = %s AND state = %s"
    return int((driver(connection).execute(query, [run.run_id, state]).fetchone() or (0,))[0])
