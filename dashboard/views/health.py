"""Data health: what is incomplete or odd about the data behind the curves."""

from __future__ import annotations

import streamlit as st

from dashboard import scope
from dashboard.checks import CHECKS, Check
from dashboard.controls import Controls
from dashboard.frame import no_runs, view
from dashboard.row_checks import ROW_CHECKS, RowCheck
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.wording import plural
from store.analytics import Snapshot

#: Rows of a check shown on the page.
_MOST = 100


@view("Data health", "What is incomplete or odd about the data behind the curves?")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    every = "all runs"
    names = [row["run"] for row in rows]
    chosen = controls.one("of", [every, *names], every, st.selectbox, label="Run", width=400)
    asked = [row for row in rows if chosen in (every, row["run"])]
    st.caption(f"{plural(len(CHECKS), 'check')} over {plural(len(asked), 'run')} of this snapshot.")
    for check in CHECKS:
        _shown(check, asked)
    st.header("Row by row", anchor=False)
    # These read every sample and verdict: seconds on a large store, so they wait until they are asked for.
    if st.toggle("Look through every row", key="look through rows"):
        for one in ROW_CHECKS:
            _looked_through(reading, one, None if chosen == every else chosen)


def _shown(check: Check, rows: list[Row]) -> None:
    found = check.findings(rows)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if found:
                st.badge(plural(len(found), "run"), icon=":material/error:", color="orange")
            else:
                st.badge("fine", icon=":material/check:", color="green")
            st.markdown(f"**{check.name}**", width="content")
            st.caption(check.why, width="content")
        if found:
            st.dataframe(
                [{"run": one.run, one.of: one.found, "what helps": one.advice} for one in found],
                hide_index=True,
                width="content",
                alt=check.name,
            )


def _looked_through(reading: Reading, check: RowCheck, run: str | None) -> None:
    text = check.of(run)
    found = _found(reading.id, text, reading.snapshot)
    count = found[0]["found"] if found else 0
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if count:
                st.badge(plural(count, "row"), icon=":material/error:", color="orange")
            else:
                st.badge("fine", icon=":material/check:", color="green")
            st.markdown(f"**{check.name}**", width="content")
            st.caption(check.why, width="stretch")
            with st.popover("SQL", type="tertiary", help="Returns every row this check finds, in `passatk sql` too"):
                st.code(text, language="sql", wrap_lines=True)
        if count:
            shown = [{key: value for key, value in row.items() if key != "found"} for row in found]
            st.dataframe(shown, hide_index=True, width="content", alt=check.name)
            if count > len(shown):
                st.caption(f"The first {len(shown):,} of {count:,} are shown.")


@st.cache_resource(max_entries=256, show_spinner="Looking through the rows")
def _found(snapshot_id: str, text: str, _snapshot: Snapshot) -> list[Row]:
    """The first rows found, each with how many there are in all."""
    return _snapshot.rows(f"SELECT *, count(*) OVER () AS found FROM ({text}) LIMIT {_MOST}")  # noqa: S608 - own text
