"""Prove that the tallies are what the segments say: made again from every row, and compared."""

from __future__ import annotations

from pathlib import Path

import duckdb

from store.analytics import catalogue_file
from store.analytics.literals import identifier
from store.analytics.tallies import KEYS, TALLIES, create_tallies
from store.analytics.tallying import Rows, tally

#: Sums of floating-point numbers depend on the order of adding: so far apart they are still the same.
_NEAR = 1e-9


def wrong_tallies(connection: duckdb.DuckDBPyConnection, mirror: Path) -> list[tuple[str, str, int, int]]:
    """Tally, run, and its rows as they should be and as they are in catalogue `old`, where the two differ.

    The connection's current catalogue must be `memory`; what is made there is dropped again.
    """
    listed = catalogue_file.read_segments(connection, "old")
    columns = catalogue_file.columns_of(connection, "old")
    connection.execute("CREATE SCHEMA memory.analytics")
    try:
        create_tallies(connection)
        tally(Rows(connection, mirror, columns, listed, []))
        return [row for name in TALLIES for row in _differing(connection, name)]
    finally:
        connection.execute("DROP SCHEMA memory.analytics CASCADE")


def _differing(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[str, str, int, int]]:
    columns = TALLIES[name][1]
    keys = [column for column, _, _ in columns[: KEYS[name]]]
    same = " AND ".join(f"made.{key} IS NOT DISTINCT FROM kept.{key}" for key in keys)
    agree = " AND ".join(_agree(identifier(column), kind) for column, kind, _ in columns[KEYS[name] :])
    rows = connection.execute(
        f"""
        SELECT r.run, count(made.run_id), count(kept.run_id)
        FROM memory.analytics.{name} AS made
        FULL JOIN old.analytics.{name} AS kept ON {same}
        JOIN old.analytics.runs AS r ON r.run_id = coalesce(made.run_id, kept.run_id)
        WHERE NOT ({agree}) OR made.run_id IS NULL OR kept.run_id IS NULL
        GROUP BY r.run ORDER BY r.run
        """  # noqa: S608
    ).fetchall()
    return [(name, str(run), int(made), int(kept)) for run, made, kept in rows]


def _agree(column: str, kind: str) -> str:
    if kind != "DOUBLE":
        return f"made.{column} IS NOT DISTINCT FROM kept.{column}"
    near = f"abs(made.{column} - kept.{column}) <= {_NEAR} * (1 + abs(kept.{column}))"
    unknown = f"made.{column} IS NULL AND kept.{column} IS NULL"
    return f"({unknown} OR coalesce({near}, false))"
