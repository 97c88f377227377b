"""What a refresh pulls: the rows of done batches that the last catalogue does not know, as new segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from store.analytics.catalogue_file import Columns, MirrorState, Retired
from store.analytics.changes import Since, TableCounts
from store.analytics.contract import Fact
from store.analytics.literals import quoted
from store.analytics.segments import Segment, write_partitioned
from store.analytics.side_by_side import beside
from store.analytics.source import Source

#: From this share of new rows on, the whole table is scanned in parallel instead of fetching ranges of batches.
SCAN_FROM_SHARE = 0.2
#: From this many rows on, two connections fetch half of them each.
HALVED_FROM = 100_000
#: Rows from which a refresh is large work, which all cores share.
LARGE = 500_000


@dataclass
class Work:
    """One refresh under way."""

    source: Source
    mirror: Path
    name: str
    revision: str
    taken_at: datetime
    old: MirrorState | None
    kept: list[Segment] = field(default_factory=list)
    retired: list[Retired] = field(default_factory=list)
    new: list[Segment] = field(default_factory=list)
    #: Columns of the last catalogue's large views.
    columns: Columns = field(default_factory=dict)
    since: Since | None = None
    #: What the store's small tables hold now; empty where the last refresh left no mark that says what is new.
    counts: TableCounts = field(default_factory=dict)
    #: Whether the last catalogue was made in another folder, where its views look for segments.
    moved: bool = False
    #: Whether the table `batches` holds those written since the last refresh, or all there are.
    changed_only: bool = False

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        return self.source.connection

    @property
    def segments(self) -> list[Segment]:
        return sorted([*self.kept, *self.new], key=lambda segment: (segment.fact, segment.run_id, segment.path))


def pull_fact(work: Work, fact: Fact, columns: list[str]) -> int:
    """Pull a fact's rows of the wanted batches into segments; how many there were."""
    pull = _pull_by_key if fact.judged is None else _pull_by_batch
    written = pull(work, fact, columns)
    work.new.extend(written)
    return sum(segment.rows for segment in written)


def _pull_by_batch(work: Work, fact: Fact, columns: list[str]) -> list[Segment]:
    work.connection.execute(
        "CREATE OR REPLACE TEMP TABLE batches_of_fact AS "  # noqa: S608
        f"SELECT batch_id, wanted, grown, row_count FROM batches_of_store WHERE judged = {fact.judged}"
    )
    wanted = work.connection.execute(
        "SELECT count(*), sum(row_count)::BIGINT, min(batch_id), max(batch_id) FROM batches_of_fact WHERE wanted"
    ).fetchone()
    assert wanted is not None
    count, rows, lowest, highest = wanted
    if not count:
        return []
    if _share_wanted(work, rows) < SCAN_FROM_SHARE or not work.source.readable_table(fact.name):
        return _fetch(work, fact, columns, rows)
    if rows >= LARGE:
        work.source.use_all_cores()
    if work.old is None:  # every row that can be seen is wanted: Postgres need not look at its batch
        return _write(work, fact, work.source.scan(fact.name, columns, None))
    query = work.source.scan(fact.name, columns, (lowest, highest))
    query = f"FROM ({query}) AS found SEMI JOIN (FROM batches_of_fact WHERE wanted) USING (batch_id)"
    return _write(work, fact, query + _less_known(work, fact))


def _fetch(work: Work, fact: Fact, columns: list[str], rows: int) -> list[Segment]:
    """Segments of a fact's rows in the wanted batches, which Postgres finds by its index; of many rows, by halves."""
    less = _less_known(work, fact)

    def write(source: Source, batches: str, half: int) -> list[Segment]:
        source.connection.execute(
            "CREATE OR REPLACE TEMP TABLE batches_to_fetch AS "
            f"SELECT unnest(string_split('{batches}', ','))::BIGINT AS batch_id"
        )
        found = source.fetch(fact.name, columns, source.ranges_of("batches_to_fetch"))
        query = f"FROM ({found}) AS found SEMI JOIN batches_to_fetch USING (batch_id){less}"
        return write_partitioned(source.connection, query, fact, work.mirror, f"{work.name}-{half}")

    within_first = rows // 2 if rows >= HALVED_FROM else rows
    parts = work.connection.execute(
        f"""
        SELECT string_agg(batch_id, ',')
        FROM (
            SELECT batch_id, sum(row_count) OVER (ORDER BY batch_id) > {within_first} AS half
            FROM batches_of_fact WHERE wanted
        )
        GROUP BY half ORDER BY half
        """  # noqa: S608 - a number
    ).fetchall()
    (first, *second) = [batches for (batches,) in parts]
    if not second:
        return write(work.source, first, 0)
    with beside(work.source, lambda other: write(other, second[0], 1)) as written:
        own = write(work.source, first, 0)
    return [*own, *written.result()]


def _share_wanted(work: Work, wanted: int) -> float:
    """The share of a fact's rows that are to be pulled; those mirrored count where only changed batches are at hand."""
    all_rows = "SELECT coalesce(sum(row_count), 0)::BIGINT FROM "
    if work.changed_only:
        row = work.connection.execute(f"{all_rows} old.analytics.batches WHERE state = 'done'").fetchone()
        total = wanted + (row[0] if row else 0)
    else:
        row = work.connection.execute(f"{all_rows} batches_of_fact").fetchone()
        total = row[0] if row else 0
    return float(wanted / total) if total else 1.0


def _write(work: Work, fact: Fact, query: str) -> list[Segment]:
    return write_partitioned(work.connection, query, fact, work.mirror, work.name)


def _pull_by_key(work: Work, fact: Fact, columns: list[str]) -> list[Segment]:
    """Rows that name no batch are few: the keys there are, less those mirrored, are the rows to fetch."""
    key = ", ".join(fact.key)
    known = "" if work.old is None else f" ANTI JOIN old.analytics.{fact.name} USING ({key})"
    asked = f"SELECT {key} FROM analytics.{fact.name}"  # noqa: S608 - the contract's own names
    runs = work.connection.execute(
        f"SELECT DISTINCT run_id FROM (FROM postgres_query('pg', {quoted(asked)})){known}"  # noqa: S608
    ).fetchall()
    if not runs:
        return []
    listed = ", ".join(str(run_id) for (run_id,) in runs)
    rows = work.source.rows_of_runs(fact.name, columns, listed)
    return _write(work, fact, f"FROM ({rows}) AS found{known}")


def _less_known(work: Work, fact: Fact) -> str:
    """A batch done twice may have grown: of such a batch only the rows that are not mirrored yet are new."""
    grown = work.connection.execute("SELECT list(batch_id) FROM batches_of_fact WHERE grown").fetchone()
    if not grown or not grown[0]:
        return ""
    listed = ", ".join(str(batch) for batch in grown[0])
    past = f"FROM old.analytics.{fact.name} WHERE batch_id IN ({listed})"
    return f" ANTI JOIN ({past}) AS past USING ({', '.join(fact.key)})"
