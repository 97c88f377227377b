"""Messages as tickets: which batches one message names, and which batches a worker takes for it.

A message names a few batches of one run, as many as make a good piece of work. Each is a ticket: whoever comes with
it takes that batch, unless a run of higher priority has one that waits, or its own is done, held or of a run that
rests: then another of the queue that was sent. As many tickets as batches were sent, so each batch meets one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import sqlalchemy as sa

from store.batches import Batch, claim_all
from store.connection import driver

#: Samples that one message stands for: enough that a message costs little beside them.
SAMPLES_A_MESSAGE = 64


@dataclass(frozen=True)
class Message:
    """Batches of one run sent together. `model_name` is None for those that are to be judged."""

    model_name: str | None
    batch_ids: tuple[int, ...]
    run_name: str = field(default="", compare=False)  # for the log alone


@cache
def _sql(name: str) -> bytes:
    return files("store").joinpath("sql", f"{name}.sql").read_bytes()


def messages(connection: sa.Connection, batch_ids: Sequence[int]) -> list[Message]:
    """Batches in their order, cut into messages: of one run, of one kind, and of no more samples than a message has."""
    query = b"""
        SELECT b.batch_id, b.run_id, b.verifier_id, CASE WHEN b.verifier_id IS NULL THEN m.name END,
               b.end_index - b.first_index, r.name
        FROM unnest(%s::bigint[]) WITH ORDINALITY AS given (batch_id, place)
        JOIN store.batches AS b ON b.batch_id = given.batch_id
        JOIN store.runs AS r ON r.run_id = b.run_id
        JOIN store.models AS m ON m.model_id = r.model_id
        ORDER BY given.place
    """
    cut: list[Message] = []
    of: tuple[Any, ...] = ()
    samples = 0
    found = driver(connection).execute(query, [list(batch_ids)])
    for batch_id, run_id, verifier_id, model_name, size, run_name in found:
        if of == (run_id, verifier_id) and samples + size <= SAMPLES_A_MESSAGE:
            cut[-1] = Message(model_name, (*cut[-1].batch_ids, batch_id), run_name)
            samples += size
        else:
            cut.append(Message(model_name, (batch_id,), run_name))
            of, samples = (run_id, verifier_id), size
    return cut


def mark_sent(connection: sa.Connection, sent: Sequence[Message]) -> None:
    """Remember that these messages were sent, and which batches each has."""
    pairs = [(batch_id, message.batch_ids[0]) for message in sent for batch_id in message.batch_ids]
    query = b"""
        WITH idle AS (
            SELECT b.batch_id, s.sent_with
            FROM unnest(%s::bigint[], %s::bigint[]) AS s (batch_id, sent_with)
            JOIN store.batches AS b ON b.batch_id = s.batch_id
            -- One that is being taken right now needs the mark no more.
            FOR UPDATE OF b SKIP LOCKED
        )
        UPDATE store.batches AS b SET enqueued_at = now(), sent_with = i.sent_with
        FROM idle AS i
        WHERE b.batch_id = i.batch_id
    """
    driver(connection).execute(query, [[one for one, _ in pairs], [head for _, head in pairs]])


def claim_by_tickets(
    connection: sa.Connection, batch_ids: Sequence[int], worker: str, lease_seconds: float
) -> list[Batch]:
    """Take as many batches as there are tickets, or as many as there are to take."""
    row = driver(connection).execute(_sql("read_tickets"), {"batch_ids": list(batch_ids)}).fetchone()
    if row is None or row[0] is None:
        return []
    draws, (free, before, after) = row[0], (found or [] for found in row[1:])
    taken: list[Batch] = []
    for run_id in before:
        left = len(batch_ids) - len(taken)
        taken += _claim_of_run(connection, run_id, draws, left, worker, lease_seconds)
    taken += claim_all(connection, free[: len(batch_ids) - len(taken)], worker, lease_seconds)
    for run_id in after:
        left = len(batch_ids) - len(taken)
        taken += _claim_of_run(connection, run_id, draws, left, worker, lease_seconds)
    return taken


def _claim_of_run(
    connection: sa.Connection, run_id: int, draws: bool, count: int, worker: str, lease_seconds: float
) -> list[Batch]:
    if not count:
        return []
    # Locked, or passed over where another worker is just taking it: two never wait for each other.
    kind = (
        "verifier_id IS NULL ORDER BY batch_id" if draws else "verifier_id IS NOT NULL ORDER BY verifier_id, batch_id"
    )
    query = f"""
        SELECT batch_id FROM store.batches
        WHERE run_id = %s AND state = 'ready' AND enqueued_at IS NOT NULL AND {kind}
        LIMIT %s FOR UPDATE SKIP LOCKED
    """  # noqa: S608 - one of two constants
    found = driver(connection).execute(query.encode(), [run_id, count]).fetchall()
    return claim_all(connection, [row[0] for row in found], worker, lease_seconds)
