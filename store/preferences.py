"""Pairwise judgements: which pairs are asked about, and append-only rows of what was said."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.connection import driver
from store.runs import Run
from store.tables import batches, preferences, verdict_costs
from store.verdict_sides import CostRow


@dataclass(frozen=True)
class Pair:
    """Two samples of one problem whose completions differ."""

    problem_id: int
    first_index: int
    second_index: int
    first: str
    second: str


@dataclass(frozen=True)
class PreferenceRow:
    """What was said of a pair in the order in which it was shown; `winner` is first, second, tie or undecided."""

    first_index: int
    second_index: int
    winner: str
    seconds: float
    cost: CostRow


def plan_pairs(connection: sa.Connection, run: Run, verifier_id: int, count: int) -> dict[int, list[Pair]]:
    """At most `count` pairs for each problem that lacks them, by problem.

    Drawn at random with the run's and problem's keys as seed, so that everybody plans the same pairs, and more of them
    later are these and further ones. Pairs of equal completions are left out; stored pairs are not asked again.
    """
    planned: dict[int, list[Pair]] = {}
    for problem_id, texts in _completions(connection, run.run_id).items():
        asked = _asked(connection, run.run_id, problem_id, verifier_id)
        chosen = [pair for pair in _drawn(run.run_id, problem_id, texts, count) if pair not in asked]
        if chosen:
            planned[problem_id] = [Pair(problem_id, a, b, texts[a], texts[b]) for a, b in chosen]
    return planned


def _completions(connection: sa.Connection, run_id: int) -> dict[int, dict[int, str]]:
    """One sample of each different completion, by problem and index."""
    query = b"""
        SELECT DISTINCT ON (s.problem_id, s.completion_hash) s.problem_id, s.sample_index, c.completion
        FROM store.samples AS s JOIN store.completions AS c USING (run_id, problem_id, sample_index)
        WHERE s.run_id = %s ORDER BY s.problem_id, s.completion_hash, s.sample_index
    """
    found: dict[int, dict[int, str]] = {}
    for problem_id, index, text in driver(connection).execute(query, (run_id,)):
        found.setdefault(problem_id, {})[index] = text
    return found


def _asked(connection: sa.Connection, run_id: int, problem_id: int, verifier_id: int) -> set[tuple[int, int]]:
    query = b"""
        SELECT least(first_index, second_index), greatest(first_index, second_index) FROM store.preferences
        WHERE run_id = %s AND problem_id = %s AND verifier_id = %s
    """
    return set(driver(connection).execute(query, (run_id, problem_id, verifier_id)).fetchall())


def _drawn(run_id: int, problem_id: int, texts: dict[int, str], count: int) -> list[tuple[int, int]]:
    """The first `count` pairs of an endless shuffle: lower index first."""
    indexes = sorted(texts)
    count = min(count, len(indexes) * (len(indexes) - 1) // 2)
    rng, pairs = random.Random(f"{run_id}/{problem_id}"), dict[tuple[int, int], None]()
    while len(pairs) < count:
        one, other = rng.sample(indexes, 2)
        pairs[min(one, other), max(one, other)] = None
    return list(pairs)


def write_preferences(
    connection: sa.Connection, run_id: int, problem_id: int, verifier_id: int, rows: Sequence[PreferenceRow]
) -> None:
    """Write one problem's rows and what they cost, under a batch of their own. Stored rows stay as they are.

    The cost of a request stands with the sample that was shown first in it.
    """
    key = {"run_id": run_id, "problem_id": problem_id, "verifier_id": verifier_id}
    ends = [index for row in rows for index in (row.first_index, row.second_index)]
    batch = {**key, "first_index": min(ends), "end_index": max(ends) + 1, "state": "done", "row_count": len(rows)}
    values = batch | {"done_at": sa.func.now()}
    batch_id = connection.execute(sa.insert(batches).values(values).returning(batches.c.batch_id)).scalar_one()
    fixed = {**key, "attempt": 0, "batch_id": batch_id}
    for row in rows:
        said = {"first_index": row.first_index, "second_index": row.second_index, "winner": row.winner}
        connection.execute(
            insert(preferences).values({**fixed, **said, "seconds": row.seconds}).on_conflict_do_nothing()
        )
    for index in sorted({row.first_index for row in rows}):
        cost = _together([row.cost for row in rows if row.first_index == index])
        connection.execute(
            insert(verdict_costs).values({**fixed, "sample_index": index, **cost.__dict__}).on_conflict_do_nothing()
        )


def _together(costs: Sequence[CostRow]) -> CostRow:
    def total(name: str) -> int | None:
        values = [getattr(cost, name) for cost in costs]
        return None if None in values else sum(values)

    tokens = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens", "reasoning_tokens")
    return CostRow(costs[0].model_id, sum(cost.requests for cost in costs), **{name: total(name) for name in tokens})
