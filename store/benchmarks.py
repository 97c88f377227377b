"""Benchmarks: import, versions, lookup."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from store.benchmark_files import Selection, read_problems
from store.benchmark_formats import ProblemRecord
from store.connection import transaction
from store.errors import PassatkError
from store.fingerprint import combined, fingerprint
from store.problem_tags import tags_of
from store.tables import benchmarks, problems


class BenchmarkUnknown(PassatkError):
    """No such benchmark."""


class BadBenchmark(PassatkError):
    """A benchmark that cannot be."""


@dataclass(frozen=True)
class Benchmark:
    """A stored benchmark; `name@version` names it exactly."""

    benchmark_id: int
    name: str
    version: int
    problem_count: int
    format: str

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"


def import_benchmark(
    path: Path,
    name: str,
    format_name: str,
    selection: Selection | None = None,
    column_map: dict[str, str] | None = None,
    source: str | None = None,
) -> tuple[Benchmark, bool]:
    """Store a file's problems, or a selection; returns the benchmark and whether anything was new. All or nothing."""
    if not name.strip() or "@" in name:
        raise BadBenchmark(f'A benchmark cannot have the name "{name}": give a name without "@", which marks versions.')
    records = (selection or Selection()).of(read_problems(path, format_name, column_map), path)
    content_hash = combined(fingerprint(asdict(record)) for record in records)
    with transaction() as connection:
        # Two imports of one name at once would both count the versions: the second waits.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(name))))
        known = connection.execute(
            _select().where(benchmarks.c.name == name, benchmarks.c.content_hash == content_hash)
        ).one_or_none()
        if known is not None:
            return Benchmark(*known), False
        return _insert(connection, records, name, format_name, content_hash, source or str(path)), True


def _select() -> sa.Select[int, str, int, int, str]:
    columns = benchmarks.c
    return sa.select(columns.benchmark_id, columns.name, columns.version, columns.problem_count, columns.format)


def _insert(
    connection: sa.Connection,
    records: list[ProblemRecord],
    name: str,
    format_name: str,
    content_hash: str,
    source: str,
) -> Benchmark:
    version = connection.scalar(
        sa.select(sa.func.coalesce(sa.func.max(benchmarks.c.version), 0) + 1).where(benchmarks.c.name == name)
    )
    row = connection.execute(
        sa.insert(benchmarks)
        .values(
            name=name,
            version=version,
            content_hash=content_hash,
            format=format_name,
            source=source,
            problem_count=len(records),
        )
        .returning(*_select().selected_columns)
    ).one()
    rows = [
        {"benchmark_id": row.benchmark_id, "position": position, **asdict(record), "tags": tags_of(record.metadata)}
        for position, record in enumerate(records)
    ]
    connection.execute(sa.insert(problems), rows)
    return Benchmark(*row)


#: What an integer column holds for sure.
_VERSION = re.compile("[0-9]{1,9}")


def find_benchmark(connection: sa.Connection, label: str) -> Benchmark:
    """The benchmark called `name` (its newest version) or `name@version`."""
    name, marked, version = label.partition("@")
    query = _select().where(benchmarks.c.name == name).order_by(benchmarks.c.version.desc()).limit(1)
    if marked:
        query = query.where(benchmarks.c.version == (int(version) if _VERSION.fullmatch(version) else -1))
    row = connection.execute(query).one_or_none()
    if row is None:
        names = connection.scalars(sa.select(benchmarks.c.name).distinct().order_by(benchmarks.c.name)).all()
        raise BenchmarkUnknown(
            f'No benchmark "{label}"; '
            + (f"there are: {', '.join(names)}." if names else "import one with `passatk benchmark import`.")
        )
    return Benchmark(*row)


def list_benchmarks() -> list[Benchmark]:
    """Every benchmark, by name and version."""
    with transaction() as connection:
        rows = connection.execute(_select().order_by(benchmarks.c.name, benchmarks.c.version))
        return [Benchmark(*row) for row in rows]
