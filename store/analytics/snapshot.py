"""One published state of the mirror, opened for reading: it never changes while it is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb
import pyarrow as pa

from store.analytics import catalogue_file
from store.analytics.catalogue_file import MirrorState, catalogue_path
from store.analytics.concepts import CatalogueEntry, catalogue, concept
from store.analytics.errors import MirrorDamaged, NoSnapshot
from store.analytics.literals import quoted
from store.analytics.parameters import checked
from store.analytics.result import Result
from store.settings import StoreSettings

#: What one reading process may hold: the tallies are small, and drill-down reads segments piece by piece.
MEMORY_LIMIT = "1GB"


@dataclass(frozen=True)
class TableInfo:
    """A table or view of the snapshot: rows, and columns as (name, type, comment)."""

    name: str
    comment: str
    rows: int
    columns: list[tuple[str, str, str]]


class Snapshot:
    """Questions to one state. Threads may share it: every question has a cursor of its own."""

    def __init__(self, mirror: Path) -> None:
        self.mirror = mirror
        self._kept: dict[str, list[dict[str, Any]]] = {}
        file = catalogue_path(mirror)
        if not file.exists():
            raise NoSnapshot(f"The mirror in {mirror} is empty: run `passatk mirror refresh`.")
        self._reopening = Lock()
        self._connection, self._state = _attached(file)

    @property
    def snapshot_id(self) -> str:
        return self._state.snapshot_id

    @property
    def taken_at(self) -> datetime:
        """The moment (UTC) whose store this shows."""
        return self._state.taken_at

    @property
    def source(self) -> str:
        return self._state.source

    def query(self, name: str, **parameters: Any) -> Result:
        """Answer a catalogued query; raises a PassatkError naming what is known for an unknown name or parameter."""
        from store.analytics.queries import answer

        entry = concept(name)
        return answer(self, entry, checked(entry, parameters))

    def table(self, sql: str) -> pa.Table:
        """The Arrow table of this package's own SQL text."""
        connection = self._connection
        try:
            return self._table(connection, sql)
        except (duckdb.InternalException, duckdb.FatalException):
            # A fault in DuckDB itself: its instance answers nobody any more, so everybody gets another one.
            self._reopen(connection)
            return self._table(self._connection, sql)

    def _table(self, connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
        # A cursor is a new connection of the same instance: it starts in the default catalogue.
        cursor = connection.cursor()
        try:
            cursor.execute("USE passatk.analytics")
            return cursor.execute(sql).to_arrow_table()
        except duckdb.IOException as error:
            raise MirrorDamaged(
                f"A segment of the mirror in {self.mirror} cannot be read ({str(error).splitlines()[0]}): "
                "open the snapshot again, or run `passatk mirror refresh`, as after moving the folder."
            ) from error
        finally:
            cursor.close()

    def _reopen(self, dead: duckdb.DuckDBPyConnection) -> None:
        """Attach this state to a new instance of DuckDB, unless another thread has."""
        with self._reopening:
            if self._connection is not dead:
                return
            connection, state = _attached(catalogue_path(self.mirror))
            if state.snapshot_id != self._state.snapshot_id:
                connection.close()
                raise MirrorDamaged(
                    f"DuckDB failed, and the mirror in {self.mirror} has been refreshed since this snapshot was "
                    "opened: open it again."
                )
            self._connection = connection

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of this package's own SQL text, as dictionaries."""
        return list(self.table(sql).to_pylist())

    def kept_rows(self, sql: str) -> list[dict[str, Any]]:
        """`rows`, read once for each text: for what every question asks first (runs, verifiers, who judged what).

        Callers must not change them. A snapshot never changes either.
        """
        if sql not in self._kept:
            self._kept[sql] = self.rows(sql)
        return self._kept[sql]

    def sql_catalogue(self) -> list[CatalogueEntry]:
        """Every catalogued query."""
        return list(catalogue().values())

    def schema(self) -> list[TableInfo]:
        """Every table and view of the snapshot with comments and row counts."""
        from store.analytics.schema_listing import tables_of

        return tables_of(self)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _attached(file: Path) -> tuple[duckdb.DuckDBPyConnection, MirrorState]:
    """A catalogue in an instance of its own, and what it says of itself; raises MirrorDamaged.

    DuckDB shares instances by path, and would answer for a file that has been replaced under the same path with the
    state of the old one.
    """
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    for setting in (f"memory_limit = '{MEMORY_LIMIT}'", "TimeZone = 'UTC'", "temp_directory = ''"):
        connection.execute(f"SET {setting}")
    try:
        connection.execute(f"ATTACH {quoted(file)} AS passatk (READ_ONLY)")
        connection.execute("USE passatk.analytics")
        return connection, catalogue_file.read_state(connection, "passatk")
    except duckdb.Error as error:
        raise MirrorDamaged(
            f"{file} cannot be read ({str(error).splitlines()[0]}): run `passatk mirror refresh --rebuild`."
        ) from error


def open_snapshot(mirror: Path | None = None) -> Snapshot:
    """The last published state of a mirror (default: the settings' one); raises NoSnapshot when there is none."""
    return Snapshot(mirror if mirror is not None else StoreSettings.from_environment().mirror)
