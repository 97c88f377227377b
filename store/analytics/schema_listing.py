"""What a snapshot holds: tables, views, columns, comments, rows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot, TableInfo

_TABLES = """
SELECT table_name AS name, comment, estimated_size AS rows FROM duckdb_tables()
WHERE database_name = 'passatk' AND schema_name = 'analytics'
UNION ALL
SELECT v.view_name, v.comment, (SELECT coalesce(sum(s.rows), 0)::BIGINT FROM passatk.mirror.segments AS s
    WHERE s.fact = v.view_name)
FROM duckdb_views() AS v WHERE v.database_name = 'passatk' AND v.schema_name = 'analytics'
ORDER BY name
"""
_COLUMNS = """
SELECT table_name, column_name, data_type, comment FROM duckdb_columns()
WHERE database_name = 'passatk' AND schema_name = 'analytics' ORDER BY table_name, column_index
"""


def tables_of(snapshot: Snapshot) -> list[TableInfo]:
    """Tables and views of schema `analytics`, by name; rows are exact."""
    from store.analytics.snapshot import TableInfo

    columns: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for row in snapshot.rows(_COLUMNS):
        columns[row["table_name"]].append((row["column_name"], row["data_type"], row["comment"] or ""))
    return [
        TableInfo(row["name"], row["comment"] or "", int(row["rows"]), columns[row["name"]])
        for row in snapshot.rows(_TABLES)
    ]
