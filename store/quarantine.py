"""Problems set aside: their reference fails, their tests are flaky, their answer is wrong. Nothing of them is lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.benchmarks import Benchmark
from store.errors import PassatkError
from store.tables import problems, quarantines


class ProblemUnknown(PassatkError):
    """No such problem in the benchmark."""


class ListedProblem(NamedTuple):
    """A problem and, where it is set aside, why and since when."""

    key: str
    reason: str | None
    since: datetime | None


def quarantine(connection: sa.Connection, benchmark: Benchmark, keys: Sequence[str], reason: str) -> int:
    """Set problems aside; how many were not already. Raises ProblemUnknown, and PassatkError without a reason."""
    if not reason.strip():
        raise PassatkError("Say why the problems are set aside: --reason.")
    rows = [{"problem_id": problem_id, "reason": reason} for problem_id in _ids(connection, benchmark, keys)]
    statement = insert(quarantines).values(rows)
    held = sa.text("lifted_at IS NULL")
    statement = statement.on_conflict_do_nothing(index_elements=["problem_id"], index_where=held)
    return len(connection.execute(statement.returning(quarantines.c.problem_id)).all())


def release(connection: sa.Connection, benchmark: Benchmark, keys: Sequence[str]) -> int:
    """Take problems back; how many were set aside. Raises ProblemUnknown."""
    ids = _ids(connection, benchmark, keys)
    columns = quarantines.c
    statement = sa.update(quarantines).where(columns.problem_id.in_(ids), columns.lifted_at.is_(None))
    return int(connection.execute(statement.values(lifted_at=sa.func.now())).rowcount)


def listed_problems(connection: sa.Connection, benchmark: Benchmark, only_quarantined: bool) -> list[ListedProblem]:
    """A benchmark's problems, in order."""
    held = sa.and_(quarantines.c.problem_id == problems.c.problem_id, quarantines.c.lifted_at.is_(None))
    joined = problems.join(quarantines, held, isouter=not only_quarantined)
    query = sa.select(problems.c.key, quarantines.c.reason, quarantines.c.created_at).select_from(joined)
    query = query.where(problems.c.benchmark_id == benchmark.benchmark_id).order_by(problems.c.position)
    return [ListedProblem(*row) for row in connection.execute(query)]


def _ids(connection: sa.Connection, benchmark: Benchmark, keys: Sequence[str]) -> list[int]:
    columns = problems.c
    query = sa.select(columns.key, columns.problem_id).where(columns.benchmark_id == benchmark.benchmark_id)
    found: dict[str, int] = {row.key: row.problem_id for row in connection.execute(query.where(columns.key.in_(keys)))}
    missing = [key for key in keys if key not in found]
    if missing:
        raise ProblemUnknown(
            f"{benchmark.label} has no problem {', '.join(missing[:5])}: `passatk problem list` names all."
        )
    return [found[key] for key in dict.fromkeys(keys)]
