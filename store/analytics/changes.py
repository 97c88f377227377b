"""What changed in the store since the last published state, asked of Postgres in a few rows.

Every row carries the number of the transaction that wrote it (`xmin`). A transaction that the last refresh could not
see was still open then or began later, so its number is not below the oldest one open at that refresh, the *mark*. The
rows from the mark on hence hold everything that is new, however late it was committed, and little else; what is new of
them is found by comparing them with what is mirrored. Sums over all done batches prove that nothing else differs; where
they do not agree, or the store was restored or moved, everything is compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from store.analytics.catalogue_file import MirrorState
from store.analytics.contract import DIMENSIONS, LIVE
from store.analytics.literals import quoted
from store.analytics.source import Source

#: Transaction numbers wrap around after 2^31: beyond this many since the mark, everything is compared.
FARTHEST = 1_000_000_000
#: Views whose rows also follow from another table than their own.
_ALSO = {"problems": ("quarantines",)}
#: Dimensions that a refresh looks for changes in: of batches it knows more, and live ones it copies anyway.
_COMPARED = [name for name in DIMENSIONS if name not in (*LIVE, "batches")]


@dataclass(frozen=True)
class Since:
    """How far back the mark of the last state is, in transactions; None where it says nothing about this store."""

    transactions: int | None


def since(source: Source, last: MirrorState | None) -> Since:
    """Whether, and from where on, the last state's mark can be used."""
    if last is None or last.origin != source.origin or not source.batches_readable:
        return Since(None)
    if not 0 <= source.mark - last.mark < FARTHEST:
        return Since(None)
    return Since(source.gone if 0 <= source.gone < 2 * FARTHEST else None)


def changed_batches(since_mark: Since, columns: list[str]) -> str:
    """The batches written since the mark, as the text of a DuckDB query."""
    names = ", ".join(columns)
    asked = (
        f"SELECT {names} FROM analytics.batches WHERE batch_id IN "  # noqa: S608 - the contract's own names
        f"(SELECT batch_id FROM store.batches WHERE {_written(since_mark)})"
    )
    return f"SELECT {names} FROM postgres_query('pg', {quoted(asked)})"  # noqa: S608


def _written(since_mark: Since) -> str:
    # Most rows are old: the first of the two tells.
    return f"age(xmin) <= {since_mark.transactions} AND age(xmin) >= 0"


def done_batches(source: Source) -> tuple[int, ...]:
    """How many batches the store has done, the sum of their rows, and that of their keys."""
    (found,) = source.ask(
        "SELECT count(*) AS n, coalesce(sum(row_count), 0)::bigint AS r, coalesce(sum(batch_id), 0)::bigint AS b "
        "FROM analytics.batches WHERE state = 'done'"
    )
    return tuple(int(str(one)) for one in found)


#: By table: its rows, and those written since the mark.
TableCounts = dict[str, tuple[int, int]]


def counts_of_tables(source: Source, since_mark: Since) -> TableCounts:
    """What one question tells of all the small tables: how many rows there are, and how many are new.

    To be asked on the connection that `since_mark` was made with: ages count from where a transaction first asks.
    """
    asked = []
    for table in sorted({table for name in _COMPARED for table in (name, *_ALSO.get(name, ()))}):
        written = f"count(*) FILTER (WHERE {_written(since_mark)})"
        asked.append(f"SELECT '{table}' AS name, count(*) AS n, {written} AS w FROM store.{table}")  # noqa: S608
    rows = source.ask(" UNION ALL ".join(asked))
    return {str(name): (int(str(count)), int(str(new))) for name, count, new in rows}


def changed_dimensions(source: Source, counts: TableCounts) -> list[str]:
    """The dimensions, but batches and live ones, whose rows are not those of the attached catalogue `old`.

    Without counts of the store, for there is no mark to count from, all their rows are compared.
    """
    if not counts:
        return [name for name in _COMPARED if _differs(source, name)]
    kept = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS n FROM old.analytics.{name}" for name in _COMPARED)  # noqa: S608
    mirrored = dict(source.connection.execute(kept).fetchall())
    return [
        name
        for name in _COMPARED
        if counts[name][0] != mirrored[name] or any(counts[table][1] for table in (name, *_ALSO.get(name, ())))
    ]


def _differs(source: Source, name: str) -> bool:
    differing = source.connection.execute(
        f"""
        WITH present AS MATERIALIZED (FROM pg.analytics.{name}), past AS MATERIALIZED (FROM old.analytics.{name})
        SELECT EXISTS (FROM present EXCEPT ALL FROM past) OR EXISTS (FROM past EXCEPT ALL FROM present)
        """  # noqa: S608
    ).fetchone()
    assert differing is not None
    return bool(differing[0])
