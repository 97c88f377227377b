"""Which done batches of the store a mirror lacks."""

from __future__ import annotations

from store.analytics.changes import changed_batches, counts_of_tables, done_batches, since
from store.analytics.errors import ForeignMirror
from store.analytics.pull import Work
from store.analytics.side_by_side import beside
from store.analytics.store_address import shown_address

#: From this many batches on, to sum them takes longer than to open another connection for it.
MANY_BATCHES = 100_000

# What `done_batches` gives where those changed and those mirrored are all there are.
_SUMS = """
SELECT sum(batches)::BIGINT, coalesce(sum(rows), 0)::BIGINT, coalesce(sum(keys), 0)::BIGINT
FROM (
    SELECT count(*) AS batches, sum(row_count) AS rows, sum(batch_id) AS keys
    FROM batches WHERE state = 'done'
    UNION ALL
    SELECT count(*), sum(row_count), sum(batch_id) FROM old.analytics.batches WHERE state = 'done'
    UNION ALL
    SELECT -count(*), -sum(row_count), -sum(batch_id)
    FROM old.analytics.batches SEMI JOIN batches USING (batch_id) WHERE state = 'done'
)
"""


def mark_batches(work: Work) -> None:
    """Copy the store's batches, or those written since the last refresh; mark the done ones whose rows are lacking.

    A batch known as done that has another number of rows has grown: it was done twice, and is lacking in part.
    """
    work.since = since(work.source, work.old)
    work.changed_only = work.since.transactions is not None and _changed_suffice(work)
    if not work.changed_only:
        work.connection.execute("CREATE OR REPLACE TEMP TABLE batches AS SELECT * FROM pg.analytics.batches")
    known = "SELECT batch_id, row_count FROM old.analytics.batches WHERE state = 'done'"
    if work.old is None:
        known = "SELECT NULL::BIGINT AS batch_id, NULL::INTEGER AS row_count WHERE false"
    work.connection.execute(
        f"""
        CREATE TEMP TABLE batches_of_store AS
        SELECT b.batch_id, b.run_id, b.verifier_id IS NOT NULL AS judged, coalesce(b.row_count, 0) AS row_count,
               known.batch_id IS NULL OR known.row_count IS DISTINCT FROM b.row_count AS wanted,
               known.batch_id IS NOT NULL AND known.row_count IS DISTINCT FROM b.row_count AS grown
        FROM batches AS b LEFT JOIN ({known}) AS known USING (batch_id)
        WHERE b.state = 'done'
        """  # noqa: S608
    )


def _changed_suffice(work: Work) -> bool:
    """Read the batches written since the mark; whether they and those mirrored are all that the store has."""
    assert work.since is not None
    rows = work.connection.execute("DESCRIBE old.analytics.batches").fetchall()
    columns = [row[0] for row in rows]
    changed = changed_batches(work.since, columns)
    many = work.connection.execute(f"SELECT count(*) >= {MANY_BATCHES} FROM old.analytics.batches").fetchone()  # noqa: S608
    with beside(work.source, done_batches, worth_it=many == (True,)) as done:
        work.connection.execute(f"CREATE OR REPLACE TEMP TABLE batches AS {changed}")
        sums = work.connection.execute(_SUMS).fetchone()
        work.counts = counts_of_tables(work.source, work.since)
    return sums == done.result()


def refuse_foreign(work: Work) -> None:
    """A mirror that knows done batches which the store does not have was taken from another store, or a later one."""
    if work.old is None:
        return
    # Where only changed batches are at hand, sums have shown that the others are those of the store.
    only = " AND batch_id IN (SELECT batch_id FROM batches)" if work.changed_only else ""
    missing = work.connection.execute(
        "SELECT count(*) FROM (SELECT batch_id, run_id, created_at FROM old.analytics.batches "  # noqa: S608
        f"WHERE state = 'done'{only}) ANTI JOIN batches USING (batch_id, run_id, created_at)"
    ).fetchone()
    if missing is not None and missing[0]:
        raise ForeignMirror(
            f"The mirror in {work.mirror} holds {missing[0]:,} batches that the store at "
            f"{shown_address(work.source.url)} does not have, so it was taken from another store ({work.old.source}) "
            "or from a later state of it: name another folder in PASSATK_MIRROR, or run "
            "`passatk mirror refresh --rebuild`."
        )
