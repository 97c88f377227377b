"""Answers of catalogued queries, and who can be asked for them. No Streamlit: pages, figures and reports share this."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from store.analytics import Snapshot
from store.analytics.concepts import concept

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The result of a catalogued query: records, what a reader must know about them, and SQL that returns the same."""

    columns: tuple[str, ...]
    records: list[Row]
    notes: tuple[str, ...]
    sql: str


class Asker(Protocol):
    """Whoever answers catalogued queries from one snapshot."""

    @property
    def id(self) -> str: ...

    @property
    def taken_at(self) -> datetime: ...

    def ask(self, name: str, **parameters: Any) -> Answer: ...


def answered(snapshot: Snapshot, name: str, parameters: dict[str, Any]) -> Answer:
    """Ask the snapshot itself."""
    result = snapshot.query(name, **parameters)
    return Answer(result.columns, result.records(), result.notes, result.sql)


@dataclass(frozen=True)
class Once:
    """Asks a snapshot, each question once: what commands that draw figures and reports read from."""

    snapshot: Snapshot
    known: dict[str, Answer] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.snapshot.snapshot_id)

    @property
    def taken_at(self) -> datetime:
        return self.snapshot.taken_at

    def ask(self, name: str, **parameters: Any) -> Answer:
        given = {key: value for key, value in parameters.items() if value is not None}
        mark = repr((name, sorted(given.items())))
        if mark not in self.known:
            self.known[mark] = answered(self.snapshot, name, given)
        return self.known[mark]


def takes(name: str, parameter: str) -> bool:
    """Whether a catalogued query has this parameter."""
    return any(one.name == parameter for one in concept(name).parameters)
