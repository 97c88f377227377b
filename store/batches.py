"""Batches: planned from what the store lacks, leased to workers, swept when a worker dies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import sqlalchemy as sa

from store.connection import driver
from store.runs import Run

#: A batch whose worker stops this often without finishing is set aside with its error.
MAX_TRIES = 5
#: Longest error kept with a batch, in characters.
_LONGEST_ERROR = 4000
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class Batch:
    """One unit of work: a problem and an index range, to draw or (with a verifier) to judge."""

    batch_id: int
    run_id: int
    problem_id: int
    verifier_id: int | None
    attempt: int
    first_index: int
    end_index: int
    tries: int
    run_name: str = ""

    @property
    def indexes(self) -> range:
        return range(self.first_index, self.end_index)


@dataclass(frozen=True)
class ReadyQueue:
    """How many messages the batches that wait for one queue's workers came with, and whether none was taken lately.

    `model_name` is None for the queue of everything that judges; `key` is the model's id, or 0 for that queue.
    """

    key: int
    model_name: str | None
    messages: int
    quiet: bool


@cache
def _sql(name: str) -> str:
    return files("store").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _execute(connection: sa.Connection, query: str, values: Any) -> Any:
    # The queries are ours, from the package; every value is a bound parameter.
    return driver(connection).execute(query.encode(), values)


def set_failed_aside(connection: sa.Connection, run: Run) -> None:
    """Close the failed batches of a run, errors kept, so that planning finds their work missing again."""
    _execute(
        connection, "UPDATE store.batches SET state = 'cancelled' WHERE run_id = %s AND state = 'failed'", [run.run_id]
    )


def plan_generation(connection: sa.Connection, run: Run, size: int) -> list[int]:
    """Batches for every sample the run lacks; their ids, in the order to work them off."""
    lock_planning(connection, run.run_id)
    rows = _execute(connection, _sql("plan_generation"), {"run_id": run.run_id, "size": size})
    return [row[0] for row in rows]


def plan_verification(connection: sa.Connection, run: Run, verifier_id: int, size: int) -> list[int]:
    """Batches for every stored sample that lacks a decided verdict of the verifier; their ids."""
    lock_planning(connection, run.run_id)
    values = {"run_id": run.run_id, "verifier_id": verifier_id, "size": size}
    return [row[0] for row in _execute(connection, _sql("plan_verification"), values)]


def lock_planning(connection: sa.Connection, run_id: int) -> None:
    """Be the only one who plans this run, until the transaction ends."""
    # Two planners of one run would both find the same samples missing: the second waits and finds them planned.
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(727275, :run)"), {"run": run_id})


def follow_with_verification(connection: sa.Connection, drawn: Sequence[Batch]) -> list[list[int]]:
    """After batches were drawn: for each, one judging batch for each verifier of its run and each attempt of it."""
    query = """
        INSERT INTO store.batches (run_id, problem_id, verifier_id, attempt, first_index, end_index)
        SELECT d.run_id, d.problem_id, v.verifier_id, a.attempt, d.first_index, d.end_index
        FROM (
            -- The same batch may have been drawn twice at once.
            SELECT DISTINCT * FROM
            unnest(%(runs)s::integer[], %(problems)s::integer[], %(firsts)s::integer[], %(ends)s::integer[])
        ) AS d (run_id, problem_id, first_index, end_index)
        JOIN store.runs AS r ON r.run_id = d.run_id AND r.state <> 'cancelled'
        JOIN store.run_verifiers AS v ON v.run_id = d.run_id
        CROSS JOIN LATERAL generate_series(0, v.repeats - 1) AS a (attempt)
        WHERE NOT EXISTS (
            SELECT 1 FROM store.batches AS b
            WHERE b.run_id = d.run_id AND b.problem_id = d.problem_id AND b.verifier_id = v.verifier_id
            AND b.attempt = a.attempt
            AND b.first_index <= d.first_index AND b.end_index >= d.end_index AND b.state <> 'cancelled'
        )
        ORDER BY a.attempt, v.verifier_id, d.run_id, d.first_index, d.problem_id
        RETURNING batch_id, run_id, problem_id, first_index
    """
    values = {
        "runs": [batch.run_id for batch in drawn],
        "problems": [batch.problem_id for batch in drawn],
        "firsts": [batch.first_index for batch in drawn],
        "ends": [batch.end_index for batch in drawn],
    }
    followers: dict[tuple[int, int, int], list[int]] = {}
    for batch_id, *drawn_key in _execute(connection, query, values):
        run_id, problem_id, first_index = drawn_key
        followers.setdefault((run_id, problem_id, first_index), []).append(batch_id)
    return [followers.pop((batch.run_id, batch.problem_id, batch.first_index), []) for batch in drawn]


def claim(connection: sa.Connection, batch_id: int, worker: str, lease_seconds: float) -> Batch | None:
    """Take a batch; None when it is done, held by another worker, or its run is paused or cancelled."""
    taken = claim_all(connection, [batch_id], worker, lease_seconds)
    return taken[0] if taken else None


def claim_all(connection: sa.Connection, batch_ids: Sequence[int], worker: str, lease_seconds: float) -> list[Batch]:
    """Take those of these batches that can be taken."""
    values = {"batch_ids": list(batch_ids), "worker": worker, "lease_seconds": lease_seconds}
    return [Batch(*row) for row in _execute(connection, _sql("claim_batches"), values)]


def extend_leases(connection: sa.Connection, batch_ids: Sequence[int], worker: str, lease_seconds: float) -> None:
    """Say that the worker still holds these batches."""
    query = """
        WITH held AS (
            SELECT batch_id FROM store.batches
            WHERE batch_id = ANY(%(ids)s) AND state = 'leased' AND leased_by = %(worker)s
            FOR UPDATE SKIP LOCKED  -- one that is being finished right now needs no longer lease
        )
        UPDATE store.batches AS b SET lease_until = now() + make_interval(secs => %(lease)s)
        FROM held AS h
        WHERE b.batch_id = h.batch_id
    """
    _execute(connection, query, {"ids": list(batch_ids), "worker": worker, "lease": lease_seconds})


def hand_back(connection: sa.Connection, batch: Batch, error: str, final: bool = False) -> bool:
    """Give a batch back after an error; returns whether it was set aside as failed instead."""
    failed = final or batch.tries >= MAX_TRIES
    query = """
        WITH held AS (
            SELECT b.batch_id, b.leased_by FROM store.batches AS b
            WHERE b.batch_id = %(id)s AND b.state = 'leased' AND b.tries = %(tries)s
            FOR UPDATE
        ), worker AS (
            UPDATE store.workers AS w SET error = %(error)s FROM held AS h WHERE w.name = h.leased_by
        )
        UPDATE store.batches AS b SET state = %(state)s, error = %(error)s, leased_by = NULL, lease_until = NULL,
               enqueued_at = NULL
        FROM held AS h
        WHERE b.batch_id = h.batch_id
    """
    values = {
        "state": "failed" if failed else "ready",
        "error": _storable(error),
        "id": batch.batch_id,
        "tries": batch.tries,
    }
    _execute(connection, query, values)
    return failed


def hand_back_all(connection: sa.Connection, worker: str) -> int:
    """Give back everything a worker holds that has to go; none of it counts as a try. Returns how many."""
    query = """
        WITH held AS (
            SELECT batch_id FROM store.batches WHERE state = 'leased' AND leased_by = %s ORDER BY batch_id FOR UPDATE
        )
        UPDATE store.batches AS b SET state = 'ready', tries = greatest(b.tries - 1, 0), error = NULL,
               leased_by = NULL, lease_until = NULL, enqueued_at = NULL
        FROM held AS h
        WHERE b.batch_id = h.batch_id
    """
    return int(_execute(connection, query, [worker]).rowcount)


def _storable(error: str) -> str:
    # An error may quote a completion: what PostgreSQL cannot hold is replaced, and a page of it is enough.
    return _UNSTORABLE.sub("\ufffd", error)[:_LONGEST_ERROR]


def mark_done(connection: sa.Connection, rows_by_batch: dict[int, int]) -> None:
    """Close batches whose rows are written in this very transaction."""
    query = """
        WITH locked AS (
            SELECT batch_id FROM store.batches WHERE batch_id = ANY(%(ids)s) ORDER BY batch_id FOR UPDATE
        )
        UPDATE store.batches AS b
        SET state = 'done', row_count = coalesce(b.row_count, 0) + d.rows, error = NULL, leased_by = NULL,
            lease_until = NULL, done_at = coalesce(b.done_at, clock_timestamp())
        FROM unnest(%(ids)s::bigint[], %(rows)s::integer[]) AS d (batch_id, rows)
        JOIN locked AS l ON l.batch_id = d.batch_id
        WHERE b.batch_id = d.batch_id
    """
    _execute(connection, query, {"ids": list(rows_by_batch), "rows": list(rows_by_batch.values())})


def sweep_expired(connection: sa.Connection) -> int:
    """Take back batches whose lease ended; how many there were."""
    return int(_execute(connection, _sql("sweep_expired"), {"max_tries": MAX_TRIES}).rowcount)


def ready_queues(connection: sa.Connection, patience: float) -> list[ReadyQueue]:
    """For each queue with waiting batches: their messages, and whether none was taken for `patience` seconds."""
    query = """
        SELECT CASE WHEN b.verifier_id IS NULL THEN r.model_id ELSE 0 END AS queue_key,
               min(m.name) FILTER (WHERE b.verifier_id IS NULL),
               count(DISTINCT coalesce(b.sent_with, b.batch_id)) FILTER (WHERE b.state = 'ready'),
               coalesce(max(b.leased_at) < now() - make_interval(secs => %(patience)s), true)
        FROM store.batches AS b
        JOIN store.runs AS r ON r.run_id = b.run_id
        JOIN store.models AS m ON m.model_id = r.model_id
        WHERE r.state = 'open' AND (b.state = 'ready' OR b.leased_at > now() - make_interval(secs => %(patience)s * 2))
        GROUP BY queue_key
        HAVING count(DISTINCT coalesce(b.sent_with, b.batch_id)) FILTER (WHERE b.state = 'ready') > 0
    """
    return [ReadyQueue(*row) for row in _execute(connection, query, {"patience": patience})]


def lost_batches(connection: sa.Connection, quiet: Sequence[ReadyQueue], patience: float) -> list[int]:
    """Ready batches whose message is gone and must be sent again; `quiet` queues have fewer messages than batches."""
    values = {
        "patience": patience,
        "quiet_keys": [queue.key for queue in quiet],
    }
    return [row[0] for row in _execute(connection, _sql("lost_batches"), values)]
