"""The catalogue: one small read-only DuckDB file a published state, self-contained over the segments it lists."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from store.analytics.concepts import catalogue
from store.analytics.contract import FACTS
from store.analytics.literals import identifier, literal, quoted
from store.analytics.segments import Segment, flushing, make_durable, reading

CATALOGUE = "catalogue.duckdb"
_UNPUBLISHED = "catalogue.unpublished-"
#: Raised when the layout below changes: a mirror of another layout is built anew.
LAYOUT = 10

Columns = dict[str, list[tuple[str, str]]]


@dataclass(frozen=True)
class MirrorState:
    """What a published state was taken from, and when (UTC)."""

    snapshot_id: str
    taken_at: datetime
    source: str
    revision: str
    layout: int
    #: Which database it was taken from, and the oldest transaction open then (see store.analytics.changes).
    origin: str = ""
    mark: int = 0


@dataclass(frozen=True)
class Retired:
    """A segment that the catalogue no longer reads, kept a while for snapshots that are still open."""

    path: str
    retired_at: datetime


def catalogue_path(mirror: Path) -> Path:
    return mirror / CATALOGUE


def remove_unpublished(mirror: Path) -> None:
    """Take away catalogues that a killed writer left half made."""
    for file in mirror.glob(f"{_UNPUBLISHED}*"):
        file.unlink()


def publish_new(
    connection: duckdb.DuckDBPyConnection, mirror: Path, fill: Callable[[], None], new: Iterable[Segment]
) -> None:
    """Make a catalogue with `fill`, which finds an empty one as the current one, and put it in place of the last.

    The connection's transaction is committed here, and the `new` segments are safe on disk before the catalogue is.
    """
    made = mirror / f"{_UNPUBLISHED}{os.getpid()}-new.duckdb"
    connection.execute(f"ATTACH {quoted(made)} AS made")
    _publish(connection, mirror, made, "made", fill, new)


def publish_changed(
    connection: duckdb.DuckDBPyConnection, mirror: Path, change: Callable[[], None], new: Iterable[Segment]
) -> None:
    """Change the copy of the last catalogue that is attached as `old`, and put it in its place.

    The connection's transaction is committed here, and the `new` segments are safe on disk before the catalogue is.
    """
    _publish(connection, mirror, _copy(mirror), "old", change, new)


def _publish(
    connection: duckdb.DuckDBPyConnection,
    mirror: Path,
    made: Path,
    name: str,
    write: Callable[[], None],
    new: Iterable[Segment],
) -> None:
    with flushing(mirror, new):
        connection.execute(f"USE {name}")
        write()
        connection.execute("USE memory")
        connection.execute("COMMIT")
        connection.execute(f"DETACH {name}")
    put_in_place(made, mirror)


def _copy(mirror: Path) -> Path:
    return mirror / f"{_UNPUBLISHED}{os.getpid()}.duckdb"


def copy_for_change(mirror: Path) -> Path:
    """A copy of the published catalogue, to attach as `old` and change with `publish_changed`."""
    made = _copy(mirror)
    shutil.copyfile(catalogue_path(mirror), made)
    made.chmod(0o600)
    return made


def put_in_place(made: Path, mirror: Path) -> None:
    """Publish a finished catalogue: readers see the old one or this one, never anything between."""
    os.chmod(made, 0o444)
    make_durable(made)
    os.replace(made, catalogue_path(mirror))
    make_durable(catalogue_path(mirror))


def write_place(connection: duckdb.DuckDBPyConnection, mirror: Path) -> None:
    """Say in the current catalogue in which folder its views find their segments."""
    connection.execute(f"CREATE OR REPLACE TABLE mirror.place AS SELECT {quoted(mirror)} AS folder")


def place_of(connection: duckdb.DuckDBPyConnection, catalogue: str) -> str | None:
    """The folder in which an attached catalogue's views find their segments; None where it does not say."""
    try:
        row = connection.execute(f"SELECT folder FROM {catalogue}.mirror.place").fetchone()  # noqa: S608
    except duckdb.CatalogException:
        return None
    return None if row is None else str(row[0])


def write_state(
    connection: duckdb.DuckDBPyConnection, state: MirrorState, segments: Iterable[Segment], retired: Iterable[Retired]
) -> None:
    """Write what the catalogue was taken from, which segments it reads and which no longer."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS mirror")
    connection.execute(
        "CREATE TABLE mirror.state (snapshot_id VARCHAR, taken_at TIMESTAMPTZ, source VARCHAR, "
        "revision VARCHAR, layout INTEGER, origin VARCHAR, mark BIGINT)"
    )
    _insert(connection, "mirror.state", [state.__dict__.values()])
    connection.execute(
        "CREATE TABLE mirror.segments (fact VARCHAR, run_id INTEGER, path VARCHAR, rows BIGINT, bytes BIGINT)"
    )
    connection.execute("CREATE TABLE mirror.retired (path VARCHAR, retired_at TIMESTAMPTZ)")
    write_segment_lists(connection, segments, retired)


def write_segment_lists(
    connection: duckdb.DuckDBPyConnection, segments: Iterable[Segment], retired: Iterable[Retired]
) -> None:
    """Fill the lists of segments that are read, and of those that only older snapshots read."""
    write_segment_list(connection, "segments", segments)
    write_segment_list(connection, "retired", retired)


def write_segment_list(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Segment] | Iterable[Retired]
) -> None:
    """Add rows to one of the lists."""
    _insert(connection, f"mirror.{table}", [row.__dict__.values() for row in rows])


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Iterable[Any]]) -> None:
    """Insert rows as literals: the first parameter bound would import pandas, a third of a second."""
    if rows:
        spelled = ", ".join(f"({', '.join(literal(value) for value in row)})" for row in rows)
        connection.execute(f"INSERT INTO {table} VALUES {spelled}")  # noqa: S608


def create_fact_views(
    connection: duckdb.DuckDBPyConnection, mirror: Path, segments: Iterable[Segment], columns: Columns
) -> None:
    """Create the contract's large views over their segments."""
    listed = list(segments)
    for fact in FACTS:
        files = [mirror / segment.path for segment in listed if segment.fact == fact.name]
        connection.execute(f"CREATE VIEW analytics.{fact.name} AS {reading(files, columns[fact.name])}")


def write_comments(
    connection: duckdb.DuckDBPyConnection, kind: str, name: str, comments: dict[str | None, str]
) -> None:
    """Comment a table or view of schema `analytics` and its columns (None: the table itself)."""
    statements = []
    for column, text in comments.items():
        what = f"{kind} analytics.{name}" if column is None else f"COLUMN analytics.{name}.{identifier(column)}"
        statements.append(f"COMMENT ON {what} IS {quoted(text)}")
    if statements:
        connection.execute(";".join(statements))


def write_queries(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the catalogue of queries, so that whoever has the file alone knows how its numbers are made."""
    connection.execute(
        "CREATE TABLE mirror.queries (query VARCHAR, title VARCHAR, question VARCHAR, grain VARCHAR, source VARCHAR, "
        "sql VARCHAR)"
    )
    rows = [[one.name, one.title, one.question, one.grain, one.source, one.sql] for one in catalogue().values()]
    _insert(connection, "mirror.queries", rows)


def change_state(connection: duckdb.DuckDBPyConnection, catalogue: str, state: MirrorState) -> None:
    """Say that a catalogue made from another shows this state."""
    values = ", ".join(f"{name} = {literal(value)}" for name, value in state.__dict__.items())
    connection.execute(f"UPDATE {catalogue}.mirror.state SET {values}")  # noqa: S608


def queries_are_current(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the current catalogue lists the queries as this package has them."""
    kept = connection.execute("SELECT query, title, question, grain, source, sql FROM mirror.queries").fetchall()
    own = [(one.name, one.title, one.question, one.grain, one.source, one.sql) for one in catalogue().values()]
    return sorted(kept) == sorted(own)


def write_columns(
    connection: duckdb.DuckDBPyConnection, columns: Columns, comments: dict[tuple[str, str | None], str]
) -> None:
    """Write what columns the contract's large views have: DuckDB opens segments of every view to say it."""
    connection.execute(
        'CREATE TABLE mirror.columns ("view" VARCHAR, "column" VARCHAR, kind VARCHAR, "comment" VARCHAR)'
    )
    rows: list[list[str | None]] = [
        [view, name, kind, comments.get((view, name))] for view, named in columns.items() for name, kind in named
    ]
    _insert(
        connection, "mirror.columns", [*rows, *([view, None, None, comments.get((view, None))] for view in columns)]
    )


def columns_of(connection: duckdb.DuckDBPyConnection, catalogue: str) -> Columns:
    """Names and types of the columns of the contract's large views in an attached catalogue, in order."""
    found: Columns = {}
    for view, name, kind in connection.execute(
        f'SELECT "view", "column", kind FROM {catalogue}.mirror.columns WHERE kind IS NOT NULL ORDER BY rowid'  # noqa: S608
    ).fetchall():
        found.setdefault(view, []).append((name, kind))
    return found


def replace_fact_views(
    connection: duckdb.DuckDBPyConnection,
    mirror: Path,
    segments: Iterable[Segment],
    facts: Iterable[str],
    columns: Columns,
) -> None:
    """Let the views of some facts in the current catalogue read other segments; comments stay what they are."""
    listed = list(segments)
    comments: dict[str, dict[str | None, str]] = {}
    for view, column, text in connection.execute(
        'SELECT "view", "column", "comment" FROM mirror.columns WHERE "comment" IS NOT NULL'
    ).fetchall():
        comments.setdefault(view, {})[column] = text
    for name in facts:
        files = [mirror / segment.path for segment in listed if segment.fact == name]
        connection.execute(f"DROP VIEW analytics.{name}")
        connection.execute(f"CREATE VIEW analytics.{name} AS {reading(files, columns[name])}")
        write_comments(connection, "VIEW", name, comments.get(name, {}))


def read_state(connection: duckdb.DuckDBPyConnection, catalogue: str) -> MirrorState:
    """The state of an attached catalogue."""
    row = connection.execute(
        f"SELECT snapshot_id, epoch_us(taken_at), source, revision, layout, origin, mark FROM {catalogue}.mirror.state"  # noqa: S608
    ).fetchone()
    assert row is not None
    return MirrorState(row[0], utc_moment(row[1]), *row[2:])


def read_segments(connection: duckdb.DuckDBPyConnection, catalogue: str) -> list[Segment]:
    """The segments an attached catalogue reads."""
    rows = connection.execute(f"SELECT fact, run_id, path, rows, bytes FROM {catalogue}.mirror.segments").fetchall()  # noqa: S608
    return [Segment(*row) for row in rows]


def read_retired(connection: duckdb.DuckDBPyConnection, catalogue: str) -> list[Retired]:
    """The segments an attached catalogue no longer reads."""
    rows = connection.execute(f"SELECT path, epoch_us(retired_at) FROM {catalogue}.mirror.retired").fetchall()  # noqa: S608
    return [Retired(path, utc_moment(moment)) for path, moment in rows]


def utc_moment(microseconds: int) -> datetime:
    """A moment in UTC from microseconds since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
