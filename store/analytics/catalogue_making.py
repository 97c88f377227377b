"""What a refresh writes into a catalogue: all of it into an empty one, or only the news into a copy of the last."""

from __future__ import annotations

from store.analytics import catalogue_file
from store.analytics.catalogue_file import Columns, MirrorState
from store.analytics.contract import DIMENSIONS, FACTS, LIVE
from store.analytics.literals import identifier
from store.analytics.macros import create_macros
from store.analytics.pull import Work
from store.analytics.tallies import TALLIES, create_tallies
from store.analytics.tallying import Rows, tally


def fill(work: Work, state: MirrorState) -> None:
    """Write everything a catalogue holds into the current database, which is empty."""
    connection = work.connection
    columns: Columns = {fact.name: work.source.columns(fact.name) for fact in FACTS}
    connection.execute("CREATE SCHEMA analytics")
    for name in DIMENSIONS:
        new = "temp.batches" if name == "batches" else f"pg.analytics.{name}"
        key = identifier(work.source.columns(name)[0][0])
        connection.execute(f"CREATE TABLE analytics.{name} AS SELECT * FROM {new} ORDER BY {key}")  # noqa: S608
    catalogue_file.create_fact_views(connection, work.mirror, work.segments, columns)
    create_macros(connection)
    create_tallies(connection)
    tally(Rows(connection, work.mirror, columns, work.new, []))
    comments = work.source.comments()
    _comment(work, comments)
    catalogue_file.write_state(connection, state, work.segments, work.retired)
    catalogue_file.write_place(connection, work.mirror)
    catalogue_file.write_columns(connection, columns, comments)
    catalogue_file.write_queries(connection)


def amend(work: Work, state: MirrorState, changed: bool, dimensions: list[str]) -> None:
    """Turn `old`, a copy of the last catalogue and the current database, into that of the new state.

    It costs what the news cost. Where nothing `changed`, the catalogue only says for which moment it is known true. One
    that was moved finds its segments where they are now.
    """
    connection = work.connection
    catalogue_file.change_state(connection, "old", state)
    facts = [fact.name for fact in FACTS] if work.moved else sorted({segment.fact for segment in work.new})
    catalogue_file.replace_fact_views(connection, work.mirror, work.segments, facts, work.columns)
    if work.moved:
        catalogue_file.write_place(connection, work.mirror)
    if not changed:
        return
    for name in {*dimensions, *LIVE} - {"batches"}:
        connection.execute(f"DELETE FROM analytics.{name}")  # noqa: S608
        connection.execute(f"INSERT INTO analytics.{name} {work.source.whole(name)} ORDER BY 1")
    if "batches" in dimensions:
        only = "WHERE batch_id IN (SELECT batch_id FROM temp.batches)" if work.changed_only else ""
        connection.execute(f"DELETE FROM analytics.batches {only}")  # noqa: S608
        connection.execute("INSERT INTO analytics.batches SELECT * FROM temp.batches ORDER BY batch_id")
    if work.new:
        tally(Rows(connection, work.mirror, work.columns, work.new, work.kept))
    for table, rows in (("segments", work.new), ("retired", work.retired)):
        if table == "retired":
            connection.execute("DELETE FROM mirror.retired")
        catalogue_file.write_segment_list(connection, table, rows)
    if not catalogue_file.queries_are_current(connection):
        connection.execute("DROP TABLE mirror.queries")
        catalogue_file.write_queries(connection)


def _comment(work: Work, comments: dict[tuple[str, str | None], str]) -> None:
    kinds = {fact.name: "VIEW" for fact in FACTS} | dict.fromkeys(DIMENSIONS, "TABLE")
    for name, kind in kinds.items():
        own = {column: text for (view, column), text in comments.items() if view == name}
        catalogue_file.write_comments(work.connection, kind, name, own)
    for name, (text, tally_columns) in TALLIES.items():
        spelled: dict[str | None, str] = {None: text} | {column: comment for column, _, comment in tally_columns}
        catalogue_file.write_comments(work.connection, "TABLE", name, spelled)
