"""Which answers of a problem are equivalent: decided once for each verifier version, the same for everybody."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from store.connection import driver


def known_classes(connection: sa.Connection, problem_id: int, verifier_id: int) -> dict[str, str]:
    """The class of every answer that has one, in the order in which they were found."""
    query = b"""
        SELECT answer, answer_class FROM store.answer_classes
        WHERE problem_id = %s AND verifier_id = %s ORDER BY created_at, answer
    """
    return dict(driver(connection).execute(query, (problem_id, verifier_id)).fetchall())


def add_classes(
    connection: sa.Connection, problem_id: int, verifier_id: int, seen: int, found: Mapping[str, str]
) -> bool:
    """Write the classes of new answers, found while `seen` answers were known.

    False, with nothing written, where others have added some since: they may be equivalent to these. The caller reads
    again. One at a time for each problem and verifier, until the transaction ends.
    """
    raw = driver(connection)
    lock = f"answer classes {problem_id} {verifier_id}"
    raw.execute(b"SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock,))
    count = raw.execute(
        b"SELECT count(*)::integer FROM store.answer_classes WHERE problem_id = %s AND verifier_id = %s",
        (problem_id, verifier_id),
    ).fetchone()
    if count is None or count[0] != seen:
        return False
    with raw.cursor() as cursor:
        cursor.executemany(
            b"INSERT INTO store.answer_classes (problem_id, verifier_id, answer, answer_class) VALUES (%s, %s, %s, %s)",
            [(problem_id, verifier_id, answer, head) for answer, head in found.items()],
        )
    return True
