"""Append-only writes of verdicts, and what a judging batch needs to read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from psycopg.types.json import Jsonb

from store.batches import Batch
from store.connection import driver
from store.row_writing import Rows, by_key, copy_rows, staging, storable_completion, write_new
from store.verdict_sides import CostRow, storable_score, write_sides


@dataclass(frozen=True)
class VerdictRow:
    """One verdict as it is written; `detail` and what follows `weak` are kept apart from the narrow row.

    `tests`: (test_id, outcome, reason) of each generated test. `steps`: the score of each step, in order.
    """

    run_id: int
    problem_id: int
    sample_index: int
    verifier_id: int
    attempt: int
    batch_id: int
    outcome: str
    reason: str | None
    answer: str | None
    score: float | None
    seconds: float
    detail: Mapping[str, Any] | None = None
    answer_class: str | None = None
    environment_id: int | None = None
    weak: bool | None = None
    tests: Sequence[tuple[int, str, str | None]] = ()
    steps: Sequence[float] | None = None
    cost: CostRow | None = None


class KnownVerdict(NamedTuple):
    """A decided verdict on an equal completion, with everything of it that holds for the other one too.

    Not its cost: looking a verdict up costs nothing. `run_id` and `sample_index` say whose verdict it is.
    """

    outcome: str
    reason: str | None
    answer: str | None
    score: float | None
    run_id: int
    sample_index: int
    answer_class: str | None
    environment_id: int | None
    weak: bool | None
    tests: Sequence[tuple[int, str, str | None]]
    steps: Sequence[float] | None


@dataclass(frozen=True)
class StoredCompletion:
    """One sample to judge."""

    sample_index: int
    completion_hash: int
    completion: str


_NAMES = [
    "run_id",
    "problem_id",
    "sample_index",
    "verifier_id",
    "attempt",
    "batch_id",
    "outcome",
    "reason",
    "answer",
    "score",
    "seconds",
    "answer_class",
    "environment_id",
    "weak",
]
_TYPES = ["int4", "int4", "int4", "int4", "int2", "int8", "text", "text", "text", "float4", "float4", "text", "int4"]
_TYPES += ["bool"]
_KEY_OF = attrgetter(*_NAMES[:5])
_OUTPUT_OF = attrgetter(*_NAMES[:6])
_STAGING = staging("staged_verdicts", dict(zip([*_NAMES, "detail"], [*_TYPES, "text"], strict=True)))
#: Longest answer kept, in characters: an answer is voted on, and a page of text is none.
MAX_ANSWER = 500


def write_verdicts(connection: sa.Connection, rows: Iterable[VerdictRow]) -> dict[int, int]:
    """Write verdicts and their details; returns the rows that were new, by batch. Stored verdicts stay as they are."""
    raw = driver(connection)
    rows = by_key(list(rows), _KEY_OF)  # two writers of overlapping rows meet in the same order and never deadlock
    # Rows are made ready while the server stores those before them.
    tables: dict[str, Rows] = {"verdicts": (_NAMES, _TYPES, map(_copied, rows))}
    detailed = [row for row in rows if row.detail is not None]
    if detailed:
        outputs = ((*_OUTPUT_OF(row), Jsonb(_clean_json(row.detail))) for row in detailed)
        tables["verifier_outputs"] = ([*_NAMES[:6], "detail"], [*_TYPES[:6], "jsonb"], outputs)
    new = write_new(raw, rows, tables, lambda: _write_lacking(raw, rows))
    write_sides(raw, rows)
    return new


def _write_lacking(raw: psycopg.Connection[Any], rows: Sequence[VerdictRow]) -> dict[int, int]:
    """Write those of the rows that are not there yet, from a staging table."""
    raw.execute(_STAGING.encode())
    details = (None if row.detail is None else json.dumps(_clean_json(row.detail)) for row in rows)
    staged = ((*_copied(row), detail) for row, detail in zip(rows, details, strict=True))
    copy_rows(raw, "staged_verdicts", [*_TYPES, "text"], staged)
    names = ", ".join(_NAMES)
    order = "ORDER BY run_id, problem_id, sample_index, verifier_id, attempt, ctid"
    inserted = raw.execute(
        f"""
        WITH written AS (
            INSERT INTO store.verdicts ({names})
            SELECT {names} FROM staged_verdicts {order} ON CONFLICT DO NOTHING
            RETURNING batch_id
        )
        SELECT batch_id, count(*)::integer FROM written GROUP BY batch_id
        """.encode()  # noqa: S608 - the names are this module's own
    ).fetchall()
    raw.execute(
        f"""
        INSERT INTO store.verifier_outputs (run_id, problem_id, sample_index, verifier_id, attempt, batch_id, detail)
        SELECT run_id, problem_id, sample_index, verifier_id, attempt, batch_id, detail::jsonb
        FROM staged_verdicts WHERE detail IS NOT NULL {order} ON CONFLICT DO NOTHING
        """.encode()  # noqa: S608
    )
    raw.execute(b"DELETE FROM staged_verdicts")
    return dict(inserted)


def _copied(row: VerdictRow) -> Sequence[Any]:
    """The values of _NAMES, spelled out: to look them up by their names takes twice as long."""
    return (
        row.run_id,
        row.problem_id,
        row.sample_index,
        row.verifier_id,
        row.attempt,
        row.batch_id,
        row.outcome,
        row.reason,
        row.answer and _kept_answer(row.answer),
        None if row.score is None else _kept_score(row.score),
        row.seconds,
        row.answer_class and _kept_answer(row.answer_class),
        row.environment_id,
        row.weak,
    )


def _kept_answer(answer: str) -> str:
    return storable_completion(answer)[:MAX_ANSWER]


def _kept_score(score: float) -> float | None:
    """None for NaN, which is no score: nothing ranks by it, and JSON has no word for it."""
    return None if math.isnan(score) else storable_score(score)


def _clean_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {storable_completion(str(key)): _clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_json(item) for item in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    # Everything else as text: a detail that JSON does not know must not cost the verdict.
    return storable_completion(str(value))


def completions_to_judge(connection: sa.Connection, batch: Batch) -> list[StoredCompletion]:
    """The samples of a judging batch that have no verdict with its attempt yet."""
    query = b"""
        SELECT s.sample_index, s.completion_hash, c.completion
        FROM store.samples AS s
        JOIN store.completions AS c USING (run_id, problem_id, sample_index)
        WHERE s.run_id = %(run)s AND s.problem_id = %(problem)s
          AND s.sample_index >= %(first)s AND s.sample_index < %(end)s
          AND NOT EXISTS (
            SELECT 1 FROM store.verdicts AS v
            WHERE v.run_id = s.run_id AND v.problem_id = s.problem_id AND v.sample_index = s.sample_index
              AND v.verifier_id = %(verifier)s AND v.attempt = %(attempt)s
          )
        ORDER BY s.sample_index
    """
    return [StoredCompletion(*row) for row in driver(connection).execute(query, _batch_values(batch))]


def known_verdicts(connection: sa.Connection, batch: Batch, hashes: Sequence[int]) -> dict[int, KnownVerdict]:
    """Decided verdicts of the same verifier on equal completions of the problem, in any run; by completion hash."""
    query = b"""
        WITH known AS (
            SELECT DISTINCT ON (s.completion_hash) s.completion_hash, v.*
            FROM store.runs AS this
            JOIN store.runs AS other ON other.benchmark_id = this.benchmark_id
            JOIN store.verdicts AS v ON v.run_id = other.run_id AND v.problem_id = %(problem)s
            JOIN store.samples AS s
              ON s.run_id = v.run_id AND s.problem_id = v.problem_id AND s.sample_index = v.sample_index
            WHERE this.run_id = %(run)s AND v.verifier_id = %(verifier)s AND v.attempt = 0
              AND v.outcome <> 'undecided' AND s.completion_hash = ANY(%(hashes)s)
            ORDER BY s.completion_hash, v.run_id, v.sample_index
        )
        SELECT k.completion_hash, k.outcome, k.reason, k.answer, k.score, k.run_id, k.sample_index, k.answer_class,
               k.environment_id, k.weak, t.ids, t.outcomes, t.reasons, p.scores
        FROM known AS k
        LEFT JOIN store.step_scores AS p USING (run_id, problem_id, sample_index, verifier_id, attempt)
        LEFT JOIN LATERAL (
            SELECT array_agg(o.test_id ORDER BY o.test_id) AS ids, array_agg(o.outcome ORDER BY o.test_id) AS outcomes,
                   array_agg(o.reason ORDER BY o.test_id) AS reasons
            FROM store.test_outcomes AS o
            WHERE o.run_id = k.run_id AND o.problem_id = k.problem_id AND o.sample_index = k.sample_index
              AND o.verifier_id = k.verifier_id AND o.attempt = k.attempt
        ) AS t ON true
    """
    rows = driver(connection).execute(query, _batch_values(batch) | {"hashes": list(hashes)})
    return {row[0]: _known(row[1:]) for row in rows}


def _known(row: Sequence[Any]) -> KnownVerdict:
    *plain, ids, outcomes, reasons, steps = row
    tests = tuple(zip(ids, outcomes, reasons, strict=True)) if ids else ()
    return KnownVerdict._make([*plain, tests, steps])


def _batch_values(batch: Batch) -> dict[str, Any]:
    return {
        "run": batch.run_id,
        "problem": batch.problem_id,
        "first": batch.first_index,
        "end": batch.end_index,
        "verifier": batch.verifier_id,
        "attempt": batch.attempt,
    }
