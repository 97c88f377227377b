"""What a second verifier said of the listed samples: the choice that a cell of the confusion table leads to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.controls import Controls
from dashboard.problem_drawer import EVERY_SAMPLE
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.ways import open_page
from dashboard.wording import plain, plural
from store.analytics import Snapshot
from store.analytics.naming import labelled

#: The choice that means: whatever others said.
ANYTHING = "any"
_NAMED = re.compile(r"(?P<outcome>correct|incorrect|undecided|unjudged) by (?P<verifier>.+)")
#: (outcome by the verifier of the page, by the second one) -> the count of `agreement_counts` that is meant.
_CELLS = {
    ("correct", "correct"): "tp",
    ("correct", "incorrect"): "fp",
    ("incorrect", "correct"): "fn",
    ("incorrect", "incorrect"): "tn",
}


@dataclass(frozen=True)
class Second:
    """The outcome that a second verifier must have given."""

    outcome: str
    verifier: str

    @property
    def name(self) -> str:
        """Its name in an address."""
        return f"{self.outcome} by {self.verifier}"

    def parameters(self) -> dict[str, str]:
        """What the query `samples` is asked."""
        return {"second_verifier": self.verifier, "second_outcome": self.outcome}


def named(name: str, judged: list[Row]) -> Second | None:
    """The choice of this name, where one of the verifiers that judged the run is meant."""
    found = _NAMED.fullmatch(name)
    if found is None or found["verifier"] not in [row["verifier"] for row in judged]:
        return None
    return Second(found["outcome"], found["verifier"])


def chosen(controls: Controls, judged: list[Row]) -> Second | None:
    """What the link or the cell asks for; what cannot be meant is said."""
    meaning = "`correct by` or `incorrect by` and a verifier of this run"
    name = controls.held("also", ANYTHING, lambda name: named(name, judged) is not None, meaning)
    return named(name, judged)


def counts(reading: Reading, run: Row, verifier: str | None, outcome: str, second: Second | None) -> dict[str, int]:
    """How many samples of each problem are in a cell of the confusion table; empty where no cell is asked for.

    These are the tallies that the table sums.
    """
    cell = None if second is None else _CELLS.get((outcome, second.outcome))
    if second is None or verifier is None or cell is None:
        return {}
    return _cell(reading.id, run["run_id"], verifier, second.verifier, cell, reading.snapshot)


@st.cache_resource(max_entries=256, show_spinner=False)
def _cell(snapshot_id: str, run_id: int, verifier: str, second: str, cell: str, _snapshot: Snapshot) -> dict[str, int]:
    rows = _snapshot.rows(
        f"SELECT p.problem, a.{cell} AS samples FROM agreement_counts AS a JOIN problems AS p USING (problem_id) "  # noqa: S608
        f"WHERE a.run_id = {int(run_id)} AND a.verifier_id = {labelled(_snapshot, verifier)} "
        f"AND a.reference_id = {labelled(_snapshot, second)} AND a.{cell} > 0 ORDER BY p.position"
    )
    return {row["problem"]: row["samples"] for row in rows}


def chip(controls: Controls, second: Second, found: dict[str, int]) -> None:
    """What is asked of the second verifier and how many samples that are; a press takes it away."""
    held = f" · {plural(sum(found.values()), 'sample')} of {plural(len(found), 'problem')}" if found else ""
    told = "Press to list samples whatever this verifier said."
    controls.chip("also", ANYTHING, f"Also {plain(second.name)}{held}", told)


def open_cell(reading: Reading, run: Row, proxy: str, outcome: str, second: Second) -> None:
    """Open Samples with those of one cell: `outcome` by the proxy, and the second verifier's."""
    found = counts(reading, run, proxy, outcome, second)
    asked: dict[str, Any] = {"one run": run["run"], "by": proxy, "problem": next(iter(found), None)}
    open_page("samples", **asked | EVERY_SAMPLE | {"outcome": outcome, "also": second.name})
