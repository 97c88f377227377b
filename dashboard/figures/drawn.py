"""Curves out of answers: which run judged by whom is drawn how, and the rows that a curve was made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.answers import Asker, Row, takes
from dashboard.charts.curves import Curve, curve_from
from store.analytics import k_lattice
from store.errors import PassatkError

STRICT, COMPLETE, BOUNDS = "strict", "complete_case", "bounds"


@dataclass(frozen=True)
class Wanted:
    """One curve asked for: a run's summary, the verifier that judges, and how the curve looks."""

    run: Row
    verifier: str | None
    label: str
    slot: int
    dash: int = 0

    @property
    def name(self) -> str:
        return str(self.run["run"])


@dataclass(frozen=True)
class Drawn:
    """One run judged by one verifier: its curve and the rows it was made of."""

    wanted: Wanted
    curve: Curve
    rows: tuple[Row, ...]
    sql: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Counting:
    """How problems count: what to do where one has fewer than k samples, and whether those set aside take part."""

    policy: str = STRICT
    quarantined: bool = True

    def parameters(self, query: str) -> dict[str, Any]:
        """Of these, what the query can be told."""
        said = {"policy": self.policy, "quarantined": "include" if self.quarantined else "exclude"}
        return {name: value for name, value in said.items() if takes(query, name)}


STANDARD = Counting()


def shared_lattice(ends: Iterable[int | None]) -> list[int]:
    """One lattice for all, with each run's own end: a curve must not seem to end before it does."""
    known = sorted({end for end in ends if end})
    return sorted({*k_lattice(known[-1]), *known}) if known else []


def coverage_curves(
    asker: Asker, wanted: Sequence[Wanted], counting: Counting = STANDARD, ks: Sequence[int] | None = None
) -> tuple[list[Drawn], list[str]]:
    """The curves that can be drawn, and a sentence for each that cannot."""
    which = ("n_min",) if counting.policy == STRICT else ("n_min", "n_max")
    lattice = list(ks or shared_lattice(one.run[end] for one in wanted for end in ("n_min", "n_max", *which)))
    drawn: list[Drawn] = []
    refused: list[str] = []
    for one in wanted:
        made = _coverage(asker, one, counting, lattice)
        if isinstance(made, str):
            refused.append(made)
        else:
            drawn.append(made)
    return drawn, refused


def _coverage(asker: Asker, one: Wanted, counting: Counting, lattice: list[int]) -> Drawn | str:
    if one.verifier is None or not lattice:
        return f"{one.name} is not drawn: no verifier has judged it. `passatk verify --run {one.name}` does."
    try:
        answer = asker.ask(
            "coverage", run=one.name, verifier=one.verifier, k=lattice, **counting.parameters("coverage")
        )
    except PassatkError as error:
        return f"{one.name} judged by {one.verifier} is not drawn: {error}"
    curve = curve_from(answer.records, one.label, one.slot, one.dash)
    if curve is None:
        return f"{one.name} judged by {one.verifier} is not drawn: some of its problems have no judged sample."
    rows = tuple(row for row in answer.records if row["coverage"] is not None or row["lower"] is not None)
    return Drawn(one, curve, rows, answer.sql, answer.notes)


def envelopes(drawn: Sequence[Drawn]) -> list[Curve]:
    """From 'samples not drawn were all wrong' to 'all correct', where the policy is bounds."""
    made = []
    for one in drawn:
        rows = [
            row | {"value": row["lower"], "low": row["lower"], "high": row["upper"]}
            for row in one.rows
            if row["lower"] is not None and row["upper"] is not None and row["upper"] - row["lower"] > 1e-12
        ]
        curve = curve_from(rows, one.curve.label, 7, value="value")
        made += [curve] if curve else []
    return made


def sql_of(drawn: Iterable[Drawn]) -> str:
    """The SQL behind curves, each text once."""
    return "\n\n".join(dict.fromkeys(one.sql for one in drawn))


def notes_of(drawn: Iterable[Drawn]) -> tuple[str, ...]:
    """What a reader must know about curves, each once."""
    return tuple(dict.fromkeys(note for one in drawn for note in one.notes))
