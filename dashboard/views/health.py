"""Data health: what is incomplete or odd about the data behind the curves."""

from __future__ import annotations

import streamlit as st

from dashboard import scope
from dashboard.checks import CHECKS, Check
from dashboard.controls import Controls
from dashboard.frame import no_runs, view
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.wording import plural


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
