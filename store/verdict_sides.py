"""What some verdicts have beside them: outcomes of generated tests, scores of steps, what a judging model cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from store.row_writing import copy_rows

#: The columns that every row beside a verdict begins with.
KEY = ("run_id", "problem_id", "sample_index", "verifier_id", "attempt", "batch_id")
_KEY_TYPES = ("int4", "int4", "int4", "int4", "int2", "int8")


@dataclass(frozen=True)
class CostRow:
    """What a judgement cost; unknown values are None."""

    model_id: int | None = None
    requests: int = 1
    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    gpu_seconds: float | None = None


#: Largest 32-bit floating-point number.
_LARGEST = (2 - 2**-23) * 2.0**127
_COST_TYPES = ("int4", "int2", "int4", "int4", "int4", "int4", "float4")


@dataclass(frozen=True)
class _SideTable:
    name: str
    columns: Sequence[str]
    types: Sequence[str]

    def write(self, connection: psycopg.Connection[Any], rows: Iterable[Sequence[Any]]) -> None:
        """COPY the rows, then keep those whose key is new."""
        columns, types = [*KEY, *self.columns], [*_KEY_TYPES, *self.types]
        staged = ", ".join(f"{name} {kind}" for name, kind in zip(columns, types, strict=True))
        names = ", ".join(columns)
        connection.execute(f"CREATE TEMPORARY TABLE staged_{self.name} ({staged}) ON COMMIT DROP".encode())
        copy_rows(connection, f"staged_{self.name}", types, rows)
        # Sorted by key, so that two writers of the same rows never deadlock.
        connection.execute(
            f"""
            INSERT INTO store.{self.name} ({names})
            SELECT {names} FROM staged_{self.name} ORDER BY {names} ON CONFLICT DO NOTHING
            """.encode()  # noqa: S608 - the names are this module's own
        )
        connection.execute(f"DROP TABLE staged_{self.name}".encode())


_TESTS = _SideTable("test_outcomes", ("test_id", "outcome", "reason"), ("int4", "text", "text"))
_STEPS = _SideTable("step_scores", ("scores",), ("float4[]",))
_COSTS = _SideTable("verdict_costs", tuple(CostRow.__dataclass_fields__), _COST_TYPES)


def storable_score(score: float) -> float:
    """The score as 32-bit numbers can hold it: the largest there is for one beyond, so that the order stays."""
    return float(score) if math.isnan(score) else min(max(float(score), -_LARGEST), _LARGEST)


def write_sides(connection: psycopg.Connection[Any], rows: Sequence[Any]) -> None:
    """Write what the verdict rows have beside them; verdicts with nothing beside cost one look at each."""
    tests = [(*_key(row), *test) for row in rows if row.tests for test in row.tests]
    if tests:
        _TESTS.write(connection, tests)
    steps = [(*_key(row), list(map(storable_score, row.steps))) for row in rows if row.steps is not None]
    if steps:
        _STEPS.write(connection, steps)
    costs = [(*_key(row), *_cost(row.cost)) for row in rows if row.cost is not None]
    if costs:
        _COSTS.write(connection, costs)


def _key(row: Any) -> tuple[int, ...]:
    return tuple(getattr(row, name) for name in KEY)


def _cost(cost: CostRow) -> tuple[Any, ...]:
    return tuple(getattr(cost, name) for name in _COSTS.columns)
