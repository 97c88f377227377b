"""Verifiers as rows: the same name, version and options is the same verifier everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.errors import PassatkError
from store.fingerprint import fingerprint
from store.tables import run_verifiers, verifiers


class VerifierUnknown(PassatkError):
    """No such verifier in the store."""


@dataclass(frozen=True)
class VerifierRow:
    """A stored verifier."""

    verifier_id: int
    name: str
    version: str
    options: Mapping[str, Any]


def _select() -> sa.Select[int, str, str, Any]:
    columns = verifiers.c
    return sa.select(columns.verifier_id, columns.name, columns.version, columns.options)


def ensure_verifier(
    connection: sa.Connection, name: str, version: str, options: Mapping[str, Any] | None = None
) -> VerifierRow:
    """The row of a verifier, written when it is new."""
    mark = fingerprint(name, version, dict(options or {}))
    values = {"name": name, "version": version, "options": dict(options or {}), "fingerprint": mark}
    connection.execute(insert(verifiers).values(values).on_conflict_do_nothing())
    return VerifierRow(*connection.execute(_select().where(verifiers.c.fingerprint == mark)).one())


def verifier_row(connection: sa.Connection, verifier_id: int) -> VerifierRow:
    """The verifier with this key."""
    row = connection.execute(_select().where(verifiers.c.verifier_id == verifier_id)).one_or_none()
    if row is None:
        raise VerifierUnknown(f"No verifier has the key {verifier_id}.")
    return VerifierRow(*row)


def attach_verifier(connection: sa.Connection, run_id: int, verifier_id: int, repeats: int | None = None) -> None:
    """Let a verifier judge every new sample of a run, `repeats` times each (None: once, or as often as before)."""
    statement = insert(run_verifiers).values(run_id=run_id, verifier_id=verifier_id, repeats=repeats or 1)
    if repeats is None:
        connection.execute(statement.on_conflict_do_nothing())
        return
    keys = [run_verifiers.c.run_id, run_verifiers.c.verifier_id]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={"repeats": repeats}))


def verifiers_of(connection: sa.Connection, run_id: int) -> list[VerifierRow]:
    """The verifiers that judge every new sample of a run."""
    query = _select().join(run_verifiers).where(run_verifiers.c.run_id == run_id).order_by(verifiers.c.verifier_id)
    return [VerifierRow(*row) for row in connection.execute(query)]
