"""How rows get into append-only tables: COPY; where any is there already, what is lacking comes by a staging table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import psycopg
from psycopg.copy import LibpqWriter

_BATCH_OF = attrgetter("batch_id")
#: Bytes made ready ahead of a server that waits for its disk, which then has work at hand (psycopg's own: 1 MiB).
_AHEAD = 4 << 20

#: What goes into a table: names of columns, their types, rows.
Rows = tuple[Sequence[str], Sequence[str], Iterable[Sequence[Any]]]


def staging(table: str, columns: Mapping[str, str]) -> str:
    """The statement that makes a temporary table, for this session, whose rows go with their transaction."""
    names = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} ({names}) ON COMMIT DELETE ROWS"


def storable_completion(text: str) -> str:
    """The text with what PostgreSQL cannot hold (NUL, lone surrogates) replaced by U+FFFD."""
    if "\0" not in text and _encodable(text):  # a look at every character costs as much as writing the row
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def _encodable(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def copy_rows(
    connection: psycopg.Connection[Any],
    table: str,
    types: Sequence[str],
    rows: Iterable[Sequence[Any]],
    meanwhile: Callable[[], None] | None = None,
) -> None:
    """Binary COPY of rows into a table; its name may be followed by a list of columns.

    `meanwhile` is done while the server stores the last of them.
    """
    statement = f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()
    with connection.cursor() as cursor:
        ahead = LibpqWriter(cursor, flush_threshold=_AHEAD)
        with cursor.copy(statement, writer=ahead) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
            if meanwhile is not None:
                meanwhile()


def by_key(rows: list[Any], key: Callable[[Any], Any]) -> list[Any]:
    """Rows sorted by a key that begins with run, problem and sample.

    The server waits meanwhile. Most come sorted, sample after sample, which is seen in a third of the time.
    """
    run = problem = index = -1
    for row in rows:
        if row.problem_id != problem or row.run_id != run:
            if (row.run_id, row.problem_id) < (run, problem):
                return sorted(rows, key=key)
            run, problem = row.run_id, row.problem_id
        elif row.sample_index <= index:
            return sorted(rows, key=key)
        index = row.sample_index
    return rows


def write_new(
    raw: psycopg.Connection[Any],
    rows: Sequence[Any],
    tables: Mapping[str, Rows],
    write_lacking: Callable[[], dict[int, int]],
) -> dict[int, int]:
    """Write rows, given as they go into their tables, and return the new ones by batch; some may be there already."""
    new: Counter[int] = Counter()
    if rows and not _copy_new(raw, tables, lambda: new.update(map(_BATCH_OF, rows))):
        return write_lacking()
    return dict(new)


def _copy_new(raw: psycopg.Connection[Any], tables: Mapping[str, Rows], meanwhile: Callable[[], None]) -> bool:
    """COPY rows that are new, as all but those of a repeated batch are, straight into their tables.

    False, and nothing written, when any is there already.
    """
    raw.execute(b"SAVEPOINT new_rows")
    try:
        *_, last = tables
        for table, (names, types, rows) in tables.items():
            into = f"store.{table} ({', '.join(names)})"
            copy_rows(raw, into, types, rows, meanwhile if table == last else None)
    except psycopg.errors.UniqueViolation:
        raw.execute(b"ROLLBACK TO SAVEPOINT new_rows")
        raw.execute(b"RELEASE SAVEPOINT new_rows")
        return False
    raw.execute(b"RELEASE SAVEPOINT new_rows")
    return True
