"""The scope bar: which benchmark, which runs, judged by which verifier. The same on every results page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.charts.palette import HUES, run_slots
from dashboard.controls import Controls, kept_runs
from dashboard.rendering import theme
from dashboard.snapshots import Reading

#: The choice that means: each run by the verifier it takes as ground truth.
REFERENCE = "reference"
#: How many runs are drawn when the reader has not chosen.
_DEFAULT_RUNS = 5

Row = dict[str, Any]


@dataclass(frozen=True)
class Scope:
    """What the reader chose: runs (their summaries, in order of choice) and the hue of each."""

    runs: tuple[Row, ...]
    slots: dict[str, int]

    @property
    def names(self) -> list[str]:
        return [row["run"] for row in self.runs]


def summaries(reading: Reading) -> list[Row]:
    """Every run of the snapshot, the most recently written first."""
    rows = reading.ask("run_summary").records
    return sorted(rows, key=lambda row: (row["last_written_at"] is not None, row["last_written_at"]), reverse=True)


def choose_runs(controls: Controls, rows: list[Row], beside: bool = False) -> tuple[Scope, DeltaGenerator]:
    """Benchmark and runs, at most as many as there are hues; and the place beside them, when one is wanted."""
    left, right, *more = st.columns([2, 5, 3] if beside else [2, 8], vertical_alignment="bottom")
    with left:
        benchmark = choose_benchmark(controls, rows)
    here = [row for row in rows if row["benchmark"] == benchmark]
    names = [row["run"] for row in here]
    with right:
        chosen = controls.many(
            "run", names, _first_drawn(here), label="Runs", max_selections=HUES, placeholder="Choose runs to draw"
        )
    by_name = {row["run"]: row for row in here}
    scope = Scope(tuple(by_name[name] for name in chosen), slots_of(chosen, rows))
    return scope, more[0] if more else right


def _first_drawn(rows: list[Row]) -> list[str]:
    """The runs written to last, among those that have anything to draw."""
    judged = [row["run"] for row in rows if row["judged"]]
    return (judged or [row["run"] for row in rows])[:_DEFAULT_RUNS]


def choose_run(controls: Controls, rows: list[Row]) -> tuple[Row, DeltaGenerator]:
    """Benchmark and one run, and the place beside them."""
    left, right, more = st.columns([2, 5, 3], vertical_alignment="bottom")
    with left:
        benchmark = choose_benchmark(controls, rows)
    here = {row["run"]: row for row in rows if row["benchmark"] == benchmark}
    drawn = [name for name in kept_runs() if name in here] or _first_drawn(list(here.values()))
    with right:
        name = controls.one("one run", list(here), drawn[0], st.selectbox, called="run", label="Run")
    return here[name], more


def choose_benchmark(controls: Controls, rows: list[Row]) -> str:
    """The benchmark; the one written to last when the reader has not chosen."""
    options = list(dict.fromkeys(row["benchmark"] for row in rows))
    asked = controls.link.asked.get("run")
    meant = next((row["benchmark"] for row in rows if asked and row["run"] == asked[0]), options[0])
    return controls.one("benchmark", options, meant, st.selectbox, label="Benchmark")


def slots_of(names: Sequence[str], rows: list[Row]) -> dict[str, int]:
    """The hues of runs: by their place among all runs of their benchmark, in the order they were created."""
    benchmarks = {row["benchmark"] for row in rows if row["run"] in names}
    ordered = sorted((row for row in rows if row["benchmark"] in benchmarks), key=lambda row: row["run_id"])
    return run_slots(names, [row["run"] for row in ordered])


def mark(slot: int) -> str:
    """A tick in a run's hue before its name on a card, in Streamlit's Markdown."""
    hue = theme("dark" if st.context.theme.type == "dark" else "light")["chartCategoricalColors"][slot]
    return f':color[■]{{foreground="{hue}"}} '


def verifiers_of(reading: Reading, names: Sequence[str]) -> list[Row]:
    """Every (run, verifier) that has judged any sample of these runs."""
    return reading.ask("run_verifiers", run=list(names)).records if names else []


def verifier_options(judged: Sequence[Row]) -> list[str]:
    """`reference`, then every label that is a proxy in some run or the reference of only some."""
    labels = list(dict.fromkeys(row["verifier"] for row in judged))
    return [REFERENCE, *labels]


def verifier_parameter(choice: str) -> str | None:
    """What the analytics is asked: None is each run's reference."""
    return None if choice == REFERENCE else choice


def judged_by(choice: str, run: Row) -> str | None:
    """The label of the verifier a choice means for a run."""
    label: str | None = run["reference"] if choice == REFERENCE else choice
    return label
