"""Append-only writes of samples: COPY into a staging table, then insert what is not there yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa

from store.connection import driver
from store.fingerprint import text_hash


@dataclass(frozen=True)
class SampleRow:
    """One sample as it is written. Times are seconds; unknown values are None, never zero."""

    run_id: int
    problem_id: int
    sample_index: int
    batch_id: int
    completion: str
    engine_id: int | None = None
    seed: int | None = None
    request_samples: int | None = None
    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    cumulative_logprob: float | None = None
    latency_seconds: float | None = None


_HOT = [
    "run_id",
    "problem_id",
    "sample_index",
    "batch_id",
    "engine_id",
    "seed",
    "request_samples",
    "prompt_tokens",
    "cached_prompt_tokens",
    "completion_tokens",
    "finish_reason",
    "cumulative_logprob",
    "latency_seconds",
]
_COPIED = [*_HOT, "completion_hash", "completion"]
_TYPES = [
    "int4",
    "int4",
    "int4",
    "int8",
    "int4",
    "int8",
    "int4",
    "int4",
    "int4",
    "int4",
    "text",
    "float4",
    "float4",
    "int8",
    "text",
]
_STAGING = "CREATE TEMPORARY TABLE IF NOT EXISTS staged_samples ({}) ON COMMIT DELETE ROWS".format(
    ", ".join(f"{name} {kind}" for name, kind in zip(_COPIED, _TYPES, strict=True))
)


def storable_completion(text: str) -> str:
    """The text with what PostgreSQL cannot hold (NUL, lone surrogates) replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def copy_rows(
    connection: psycopg.Connection[Any], table: str, types: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Binary COPY of rows into a staging table of this module's making."""
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def write_samples(connection: sa.Connection, rows: Iterable[SampleRow]) -> dict[int, int]:
    """Write samples and their completions; returns the rows that were new, by batch.

    A sample that is stored already stays as it is: the first writer wins, and with the same seed both texts are equal.
    """
    raw = driver(connection)
    raw.execute(_STAGING.encode())
    copy_rows(raw, "staged_samples", _TYPES, map(_copied, rows))
    names = ", ".join([*_HOT, "completion_hash"])
    # Sorted by key: two writers of overlapping rows meet in the same order and never deadlock. Then by place: of a
    # sample that is staged twice, both tables take the first.
    order = "ORDER BY run_id, problem_id, sample_index, ctid"
    inserted = raw.execute(
        f"""
        WITH written AS (
            INSERT INTO store.samples ({names})
            SELECT {names} FROM staged_samples {order}
            ON CONFLICT DO NOTHING
            RETURNING batch_id
        )
        SELECT batch_id, count(*)::integer FROM written GROUP BY batch_id
        """.encode()  # noqa: S608 - the names are this module's own
    ).fetchall()
    raw.execute(
        f"""
        INSERT INTO store.completions (run_id, problem_id, sample_index, batch_id, completion)
        SELECT run_id, problem_id, sample_index, batch_id, completion FROM staged_samples {order}
        ON CONFLICT DO NOTHING
        """.encode()  # noqa: S608
    )
    raw.execute(b"DELETE FROM staged_samples")
    return dict(inserted)


def _copied(row: SampleRow) -> list[Any]:
    text = storable_completion(row.completion)
    return [*(getattr(row, name) for name in _HOT), text_hash(text), text]


def sample_seeds(base: int, indexes: range) -> tuple[int, ...]:
    """The seeds of a range of samples: consecutive, so that one request can draw them all."""
    return tuple(base + index for index in indexes)
