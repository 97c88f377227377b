"""The store as the refresher reads it: one Postgres transaction, seen through DuckDB's Postgres extension.

Only the refresher's process loads the extension. Its transactions are REPEATABLE READ, and the connections of a
parallel scan import the first one's snapshot, so everything read between `begin` and `end` is one state of the store.
"""

from __future__ import annotations

import copy
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import duckdb

from store.analytics.errors import SourceUnreachable
from store.analytics.literals import identifier, quoted
from store.analytics.store_address import shown_address

_EXTENSION = "duckdb_extension_postgres_scanner"
#: The refresher works beside engines and verifiers: beyond this it spills to the mirror's own disk.
MEMORY_LIMIT = "4GB"
#: More ranges than this are read as one, and the batches between them are sorted out here.
_MOST_RANGES = 200


def _extension_file() -> Path:
    spec = find_spec(_EXTENSION)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).rglob("postgres_scanner.duckdb_extension")):
            return file
    raise SourceUnreachable("DuckDB's Postgres extension is missing: `pip install duckdb-extension-postgres-scanner`.")


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most _MOST_RANGES ranges that hold these: those with the least between them are read as one."""
    if len(ranges) <= _MOST_RANGES:
        return ranges
    gaps = [after[0] - before[1] for before, after in pairwise(ranges)]
    least = sorted(gaps, reverse=True)[_MOST_RANGES - 2]
    joined = [ranges[0]]
    for gap, (low, high) in zip(gaps, ranges[1:], strict=True):
        if gap > least:
            joined.append((low, high))
        else:
            joined[-1] = (joined[-1][0], high)
    return joined


def _readable(table: str) -> str:
    return f"coalesce(has_schema_privilege('store', 'USAGE') AND has_table_privilege('store.{table}', 'SELECT'), false)"


class Source:
    """A connection that reads the store as catalogue `pg` and keeps what it reads in memory or in `spill`."""

    def __init__(self, database_url: str, spill: Path) -> None:
        self.url = database_url
        #: Which database this is (another file of the batches is another one: they were restored, or emptied), and the
        #: oldest transaction open when `begin` was called.
        self.origin, self.mark = "", 0
        #: Whether the table of batches may be read beside its view, and how many transactions ago, as Postgres counts,
        #: the mark that `begin` was given is.
        self.batches_readable, self.gone = False, 0
        self._sibling: Source | None = None
        # The extension came with pip, as this code did, and whoever could change it could change this: DuckDB need not
        # hash its 40 MB at every refresh.
        self.connection = duckdb.connect(
            ":memory:",
            config={"autoinstall_known_extensions": "false", "allow_unsigned_extensions": "true", "threads": "1"},
        )
        run = self.connection.execute
        run(f"LOAD {quoted(_extension_file())}")
        run(f"SET temp_directory = {quoted(spill)}")
        run(f"SET memory_limit = '{MEMORY_LIMIT}'")
        run("SET TimeZone = 'UTC'")
        run("SET preserve_insertion_order = false")
        run("SET checkpoint_threshold = '1B'")  # a catalogue is no one's before it is published: it needs no log
        try:
            run(f"ATTACH {quoted(database_url)} AS pg (TYPE postgres, READ_ONLY)")
        except duckdb.Error as error:
            self.connection.close()
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> SourceUnreachable:
        lines = [line for line in str(error).splitlines() if line.strip()]
        cause = next((line for line in lines if "FATAL" in line or "failed" in line), lines[0] if lines else "")
        return SourceUnreachable(f"The store at {shown_address(self.url)} cannot be read: {cause.strip()}")

    def use_all_cores(self) -> None:
        """For large work. Small work is done sooner by one thread than by several that wait for each other."""
        self.connection.execute("RESET threads")

    def begin(self, last_mark: int = 0) -> tuple[str, int]:
        """Start the one transaction everything is read in; the schema's revision and the moment, in microseconds.

        `last_mark` is the oldest transaction that was open at an earlier refresh.
        """
        self.connection.execute("BEGIN")
        try:
            revision, moment, mark, origin, readable, gone = self.ask(
                "SELECT (SELECT string_agg(version_num, ' ') "  # noqa: S608
                "FROM public.alembic_version) AS revision, "
                "(extract(epoch FROM now()) * 1000000)::bigint AS moment, "
                "pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS mark, "
                "(SELECT d.oid || '/' || c.oid || '/' || c.relfilenode FROM pg_database AS d, pg_class AS c "
                "WHERE d.datname = current_database() AND c.relname = 'batches' "
                "AND c.relnamespace = (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = 'store')) AS origin, "
                f"{_readable('batches')} AS readable, age('{last_mark % 2**32}'::xid)::bigint AS gone"
            )[0]
        except duckdb.Error as error:
            if "alembic_version" in str(error):
                raise SourceUnreachable(
                    f"The store at {shown_address(self.url)} has no tables: run `passatk store up`."
                ) from error
            raise self._unreachable(error) from error
        assert isinstance(moment, int)
        assert isinstance(mark, int)
        assert isinstance(gone, int)
        self.origin, self.mark, self.batches_readable, self.gone = str(origin), mark, bool(readable), gone
        return str(revision), moment

    def sibling(self) -> Source | None:
        """The other connection that sees the same state of the store, for as long as this one is open.

        None where there is no such thing: of a server in recovery, or of several behind one address.
        """
        if self._sibling is None:
            self._sibling = self._new_sibling()
        return self._sibling

    def _new_sibling(self) -> Source | None:
        exported = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_export_snapshot() END AS snapshot"
        snapshot = self.ask(exported)[0][0]
        if snapshot is None:
            return None
        other = copy.copy(self)
        other.connection = self.connection.cursor()
        try:
            other.connection.execute("SET TimeZone = 'UTC'")  # each connection has its own
            other.connection.execute("BEGIN")
            adopted = f"SET TRANSACTION SNAPSHOT {quoted(str(snapshot))}"
            other.connection.execute(f"CALL postgres_execute('pg', {quoted(adopted)})")
        except duckdb.Error:
            other.close()
            return None
        return other

    def close(self) -> None:
        if self._sibling is not None:
            self._sibling.close()
        self.connection.close()

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Rows of a query that Postgres runs, inside the transaction."""
        return self.connection.execute(f"FROM postgres_query('pg', {quoted(query)})").fetchall()

    def whole(self, view: str) -> str:
        """All rows of a small contract view, as the text of a DuckDB query."""
        # Asked so, DuckDB need not read the catalogue of the whole database first.
        return f"SELECT * FROM postgres_query('pg', 'SELECT * FROM analytics.{view}')"  # noqa: S608

    def filled(self, views: list[str]) -> set[str]:
        """Those of the contract views that have any row: most stores use few of them."""
        there = ", ".join(f"EXISTS (SELECT FROM analytics.{view}) AS {view}" for view in views)
        return {view for view, any_row in zip(views, self.ask(f"SELECT {there}")[0], strict=True) if any_row}

    def columns(self, view: str) -> list[tuple[str, str]]:
        """Names and DuckDB types of a contract view."""
        rows = self.connection.execute(f"DESCRIBE pg.analytics.{identifier(view)}").fetchall()
        return [(row[0], row[1]) for row in rows]

    def comments(self) -> dict[tuple[str, str | None], str]:
        """Comments of the contract, by (view, column); a view's own under column None."""
        rows = self.ask(
            "SELECT c.relname::text, a.attname::text, d.description FROM pg_description AS d "
            "JOIN pg_class AS c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass "
            "LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 "
            "WHERE c.relnamespace = 'analytics'::regnamespace"
        )
        return {(str(view), None if column is None else str(column)): str(text) for view, column, text in rows}

    def readable_table(self, fact: str) -> bool:
        """Whether the table behind a contract view may be read: only tables can be scanned in parallel."""
        return bool(self.ask(f"SELECT {_readable(fact)} AS allowed")[0][0])

    def ranges_of(self, batches: str) -> list[tuple[int, int]]:
        """Ranges of batch keys that hold the batches in the table `batches`, and few others."""
        rows = self.connection.execute(
            f"""
            SELECT min(batch_id), max(batch_id)
            FROM (
                SELECT batch_id, batch_id - row_number() OVER (ORDER BY batch_id) AS island
                FROM {batches}
            )
            GROUP BY island ORDER BY 1
            """  # noqa: S608 - the name is this package's own
        ).fetchall()
        return _joined([(int(low), int(high)) for low, high in rows])

    def scan(self, fact: str, columns: list[str], batches: tuple[int, int] | None) -> str:
        """A parallel scan of the table behind a view, of a range of batches or of all, as a DuckDB query."""
        names = ", ".join(identifier(name) for name in columns)
        where = "" if batches is None else f" WHERE batch_id BETWEEN {batches[0]} AND {batches[1]}"
        return f"SELECT {names} FROM pg.store.{fact}{where}"  # noqa: S608

    def fetch(self, view: str, columns: list[str], ranges: list[tuple[int, int]]) -> str:
        """The rows of a view in ranges of batches, found by Postgres through its index on the batch."""
        names = ", ".join(identifier(name) for name in columns)
        where = " OR ".join(f"batch_id BETWEEN {low} AND {high}" for low, high in ranges)
        query = f"SELECT {names} FROM analytics.{view} WHERE {where}"  # noqa: S608
        return f"SELECT {names} FROM postgres_query('pg', {quoted(query)})"  # noqa: S608

    def rows_of_runs(self, view: str, columns: list[str], runs: str) -> str:
        """The rows of a view in runs, given as a list of keys."""
        names = ", ".join(identifier(name) for name in columns)
        query = f"SELECT {names} FROM analytics.{view} WHERE run_id IN ({runs})"  # noqa: S608
        return f"SELECT {names} FROM postgres_query('pg', {quoted(query)})"  # noqa: S608
