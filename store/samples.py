"""Append-only writes of samples and of what is kept beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar

import psycopg
import sqlalchemy as sa

from store.connection import driver
from store.fingerprint import text_hash
from store.row_writing import Rows, by_key, copy_rows, staging, storable_completion, write_new


@dataclass(frozen=True)
class SampleRow:
    """One sample as it is written. Times are seconds; unknown values are None, never zero.

    `prompt` is what the model was given: kept once for a problem in a run, so one row of a batch is enough to say it.
    `token_ids` and `token_logprobs` are kept where both are given.
    """

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
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    queue_seconds: float | None = None
    prefill_seconds: float | None = None
    decode_seconds: float | None = None
    gpu_seconds: float | None = None
    worker_id: int | None = None
    prompt: str | None = None
    token_ids: Sequence[int] | None = None
    token_logprobs: Sequence[float] | None = None


#: Columns of the narrow rows, with their types.
_HOT = {
    "run_id": "int4",
    "problem_id": "int4",
    "sample_index": "int4",
    "batch_id": "int8",
    "engine_id": "int4",
    "seed": "int8",
    "request_samples": "int4",
    "prompt_tokens": "int4",
    "cached_prompt_tokens": "int4",
    "completion_tokens": "int4",
    "finish_reason": "text",
    "cumulative_logprob": "float4",
    "latency_seconds": "float4",
    "cache_write_tokens": "int4",
    "reasoning_tokens": "int4",
    "queue_seconds": "float4",
    "prefill_seconds": "float4",
    "decode_seconds": "float4",
    "gpu_seconds": "float4",
    "worker_id": "int4",
}
_COPIED = {**_HOT, "completion_hash": "int8", "completion": "text"}
_TEXT = {"run_id": "int4", "problem_id": "int4", "sample_index": "int4", "batch_id": "int8", "completion": "text"}
_KEY_OF = attrgetter("run_id", "problem_id", "sample_index")


def write_samples(connection: sa.Connection, rows: Iterable[SampleRow]) -> dict[int, int]:
    """Write samples and what is kept beside them; returns the rows that were new, by batch.

    A sample that is stored already stays as it is: the first writer wins, and with the same seed both texts are equal.
    """
    raw = driver(connection)
    beside = _Beside()
    # Sorted by key, completions before samples: two writers of overlapping rows meet in the same order and never
    # deadlock.
    rows = by_key(list(rows), _KEY_OF)
    hashes: list[int] = []
    # Rows are made ready while the server stores those before them. Completions are most of its work: all is hashed
    # meanwhile, and the narrow rows are left for its work on them.
    tables: dict[str, Rows] = {
        "completions": ([*_TEXT], [*_TEXT.values()], _texts(map(beside.noted, rows), hashes)),
        "samples": ([*_HOT, "completion_hash"], [*_HOT.values(), "int8"], _narrow(rows, hashes)),
    }

    def write_lacking() -> dict[int, int]:
        nonlocal beside
        beside = _Beside()  # the first copy may have ended anywhere
        return _write_lacking(raw, _whole(list(map(beside.noted, rows))))

    new = write_new(raw, rows, tables, write_lacking)
    beside.write(raw)
    return new


def _texts(rows: Iterable[SampleRow], hashes: list[int]) -> Iterator[tuple[Any, ...]]:
    """The wide rows, one by one; each leaves the hash of its text as it is stored in `hashes`."""
    for row in rows:
        text = storable_completion(row.completion)
        hashes.append(text_hash(text))
        yield row.run_id, row.problem_id, row.sample_index, row.batch_id, text


def _narrow(rows: Iterable[SampleRow], hashes: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """The narrow rows, one by one, of rows whose texts are hashed: the values of _HOT, then the hash."""
    # Spelled out: to look the columns up by their names takes three times as long.
    for row, completion_hash in zip(rows, hashes, strict=True):
        yield (
            row.run_id,
            row.problem_id,
            row.sample_index,
            row.batch_id,
            row.engine_id,
            row.seed,
            row.request_samples,
            row.prompt_tokens,
            row.cached_prompt_tokens,
            row.completion_tokens,
            row.finish_reason,
            row.cumulative_logprob,
            row.latency_seconds,
            row.cache_write_tokens,
            row.reasoning_tokens,
            row.queue_seconds,
            row.prefill_seconds,
            row.decode_seconds,
            row.gpu_seconds,
            row.worker_id,
            completion_hash,
        )


def _whole(rows: Sequence[SampleRow]) -> list[tuple[Any, ...]]:
    """Each row with all of its columns, the text last."""
    hashes: list[int] = []
    texts = [text for *_, text in _texts(rows, hashes)]
    return [(*values, text) for values, text in zip(_narrow(rows, hashes), texts, strict=True)]


def _write_lacking(raw: psycopg.Connection[Any], copied: Sequence[Sequence[Any]]) -> dict[int, int]:
    """Write those of the rows that are not there yet, from a staging table."""
    raw.execute(staging("staged_samples", _COPIED).encode())
    copy_rows(raw, "staged_samples", list(_COPIED.values()), copied)
    # By key as above, then by place: of a sample that is staged twice, both tables take the first.
    order = "ORDER BY run_id, problem_id, sample_index, ctid"
    raw.execute(
        f"""
        INSERT INTO store.completions (run_id, problem_id, sample_index, batch_id, completion)
        SELECT run_id, problem_id, sample_index, batch_id, completion FROM staged_samples {order}
        ON CONFLICT DO NOTHING
        """.encode()  # noqa: S608
    )
    names = ", ".join([*_HOT, "completion_hash"])
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
    raw.execute(b"DELETE FROM staged_samples")
    return dict(inserted)


class _Beside:
    """What is kept beside the samples of one transaction: prompts, and tokens with their log-probabilities."""

    _LOGPROBS: ClassVar = {
        "run_id": "int4",
        "problem_id": "int4",
        "sample_index": "int4",
        "batch_id": "int8",
        "token_ids": "int4[]",
        "logprobs": "float4[]",
    }

    def __init__(self) -> None:
        self._prompts: dict[tuple[int, int], tuple[int, int | None, str]] = {}
        self._logprobs: list[list[Any]] = []

    def noted(self, row: SampleRow) -> SampleRow:
        """The row itself, once what it brings beside it is noted."""
        if row.prompt is not None:
            text = storable_completion(row.prompt)
            self._prompts.setdefault((row.run_id, row.problem_id), (text_hash(text), row.prompt_tokens, text))
        if row.token_ids is not None and row.token_logprobs is not None:
            key = [row.run_id, row.problem_id, row.sample_index, row.batch_id]
            self._logprobs.append([*key, list(row.token_ids), list(row.token_logprobs)])
        return row

    def write(self, raw: psycopg.Connection[Any]) -> None:
        """Write what was noted and is not there yet."""
        if self._prompts:
            rows = [(*key, *kept) for key, kept in sorted(self._prompts.items())]
            raw.execute(
                b"INSERT INTO store.prompts (run_id, problem_id, prompt_hash, prompt_tokens, prompt)"
                b" SELECT * FROM unnest(%s::int4[], %s::int4[], %s::int8[], %s::int4[], %s::text[])"
                b" ON CONFLICT DO NOTHING",
                [list(column) for column in zip(*rows, strict=True)],
            )
        if self._logprobs:
            raw.execute(staging("staged_logprobs", self._LOGPROBS).encode())
            copy_rows(raw, "staged_logprobs", list(self._LOGPROBS.values()), self._logprobs)
            raw.execute(
                b"INSERT INTO store.sample_logprobs SELECT * FROM staged_logprobs"
                b" ORDER BY run_id, problem_id, sample_index ON CONFLICT DO NOTHING"
            )
            raw.execute(b"DELETE FROM staged_logprobs")


def sample_seeds(base: int, indexes: range) -> tuple[int, ...]:
    """The seeds of a range of samples: consecutive, so that one request can draw them all."""
    return tuple(base + index for index in indexes)
