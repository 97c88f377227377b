"""Runs: every run with how far it is, what it reaches and what it has cost."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import scope, tables
from dashboard.controls import Controls, choose_for_next_page
from dashboard.frame import no_runs, view
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.wording import count, dollars, percent, plural, short_count
from store.analytics import k_lattice
from store.errors import PassatkError

#: Runs that get a small curve in the table; more would make the first page slow.
_SPARKLINES = 40
_SPARK_POINTS = 12


@view("Overview", "What has been sampled and judged, and what it reached.")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    _tiles(rows)
    shown = _filtered(rows, controls)
    if not shown:
        st.info("No run matches. Choose another benchmark or clear the search.")
        return
    _table(reading, shown)
    exported = [{key: value for key, value in row.items() if key != "run_id"} for row in shown]
    tables.download(exported, "runs")


def _tiles(rows: list[Row]) -> None:
    spent = [row["spent_usd"] for row in rows if row["spent_usd"] is not None]
    unpriced = sum(row["spent_usd"] is None for row in rows)
    with st.grid(4, min_column_width=160):
        st.metric("Runs", count(len(rows)), border=True)
        st.metric("Samples", short_count(sum(row["samples"] or 0 for row in rows)), border=True)
        st.metric("Judged samples", short_count(sum(row["judged"] or 0 for row in rows)), border=True)
        st.metric(
            "Spent on sampling",
            dollars(sum(spent)) if spent else "no price",
            border=True,
            help="At the price of the day each sample was drawn."
            + (f" {plural(unpriced, 'run has', 'runs have')} no price and is not in it." if unpriced else ""),
        )


def _filtered(rows: list[Row], controls: Controls) -> list[Row]:
    everywhere = "all benchmarks"
    names = sorted({row["benchmark"] for row in rows})
    if len(names) == 1:
        return rows
    chosen = controls.one("on", [everywhere, *names], everywhere, st.selectbox, label="Benchmark", width=320)
    return [row for row in rows if chosen in (everywhere, row["benchmark"])]


def _table(reading: Reading, rows: list[Row]) -> None:
    sparks = _sparks(reading, rows[:_SPARKLINES])
    shown = [_plain(row) | {"coverage by k": sparks.get(row["run"], [])} for row in rows]
    picked = st.dataframe(
        shown,
        hide_index=True,
        key="run table",
        on_select="rerun",
        selection_mode="multi-row",
        alt="Table of runs",
        column_order=[
            "run",
            "state",
            "judged",
            "pass@1",
            "coverage by k",
            "coverage at n",
            "n",
            "spent",
            "undecided",
            "model",
            "judged by",
            "benchmark",
            "last written",
        ],
        column_config={
            "run": st.column_config.TextColumn(pinned=True),
            "judged": st.column_config.ProgressColumn(
                "judged",
                format="percent",
                min_value=0,
                max_value=1,
                width=100,
                help="Judged share of the samples wanted.",
            ),
            "coverage by k": st.column_config.LineChartColumn(y_min=0, y_max=1, width=110, help="Coverage over log k."),
            "last written": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )
    names = [rows[index]["run"] for index in picked["selection"]["rows"]]
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, path in (("Coverage", "coverage"), ("Cost", "cost"), ("Problems", "problems")):
            if st.button(label, disabled=not names, key=f"open {path}", icon=":material/arrow_forward:"):
                _open(path, rows, names)
        st.caption(
            ", ".join(names) if names else "Tick runs at the left of the table to open them together.", width="content"
        )
    if len(rows) > _SPARKLINES:
        st.caption(f"Small curves are drawn for the {_SPARKLINES} runs written to last.")


def _open(path: str, rows: list[Row], names: list[str]) -> None:
    benchmark = next(row["benchmark"] for row in rows if row["run"] == names[0])
    together = [row["run"] for row in rows if row["run"] in names and row["benchmark"] == benchmark]
    choose_for_next_page(**{"run": together, "one run": together[0], "benchmark": benchmark})
    from dashboard.navigation import pages

    st.switch_page(pages()[path])


def _sparks(reading: Reading, rows: list[Row]) -> dict[str, list[float]]:
    """For each run coverage at evenly spaced log k, at most _SPARK_POINTS of them."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if not row["judged"] or not row["n_min"]:
            continue
        lattice = k_lattice(row["n_min"])
        step = max(1, len(lattice) // _SPARK_POINTS)
        try:
            records = reading.ask("coverage", run=row["run"], k=sorted({*lattice[::step], row["n_min"]})).records
        except PassatkError:
            continue  # the row itself says what is missing
        found[row["run"]] = [one["coverage"] for one in records if one["coverage"] is not None]
    return found


def _plain(row: Row) -> dict[str, Any]:
    wanted = (row["samples_per_problem"] or 0) * (row["problems"] or 0) or row["samples"] or 0
    done = (row["judged"] or 0) + (row["undecided"] or 0)
    return {
        "run": row["run"],
        "benchmark": row["benchmark"],
        "model": row["model"],
        "state": _state(row, wanted, done),
        "judged": min(1.0, done / wanted) if wanted else 0.0,
        "pass@1": percent(row["pass_at_1"]),
        "coverage at n": percent(row["coverage_at_n"]),
        "n": _range(row["n_min"], row["n_max"]),
        "judged by": row["reference"] or "not judged",
        "undecided": row["undecided"] or 0,
        "spent": dollars(row["spent_usd"]) if row["spent_usd"] is not None else "no price",
        "last written": row["last_written_at"],
    }


def _state(row: Row, wanted: int, done: int) -> str:
    if row["state"] in ("paused", "cancelled"):
        return str(row["state"])
    if not row["samples"]:
        return "not begun"
    if not done:
        return "not judged"
    return "complete" if done >= wanted else "under way"


def _range(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return "—"
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"
