"""SQL: an analyst's own question to the snapshot, in a process of its own."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import queries
from dashboard.controls import Controls
from dashboard.frame import view
from dashboard.scope import Row, summaries
from dashboard.snapshots import Reading, schema
from dashboard.wording import plain, plural
from store.analytics import CatalogueEntry
from store.errors import PassatkError

_RESULT = "sql result"
_TEXT = "sql text"
_LAST = "sql text last run"
#: A longer text does not go into the page's address.
_LINKED = 1500
_FIRST = """SELECT r.run, v.verifier, avg(pass_at_k(c.n, c.c, 1)) AS coverage_at_1
FROM analytics.problem_counts AS c
JOIN analytics.runs AS r USING (run_id)
JOIN analytics.verifiers AS v USING (verifier_id)
GROUP BY ALL
ORDER BY coverage_at_1 DESC"""


@view("SQL", "Ask the snapshot anything, in SQL.")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    st.caption(
        "One SELECT at a time, on a read-only snapshot, in a process of its own with limits on time, memory and rows."
    )
    left, right = st.columns([3, 7], gap="medium")
    with left:
        _catalogue(reading)
        _schema(reading)
    with right:
        _editor(reading, controls)
        _result(reading)


def _catalogue(reading: Reading) -> None:
    entries = {entry.title: entry for entry in reading.snapshot.sql_catalogue()}
    title = st.selectbox("Catalogued queries", [*entries], index=None, placeholder="Choose one", key="sample query")
    entry = entries.get(title or "")
    if entry is None:
        return
    st.caption(f"{entry.question} {entry.grain.capitalize()}.")
    if st.button("Put into the editor", key="use query"):
        st.session_state[_TEXT] = _filled(reading, entry)


def _filled(reading: Reading, entry: CatalogueEntry) -> str:
    """The text of a catalogued query about the runs judged last; with places still to fill where that does not fit."""
    judged = [row for row in summaries(reading) if row["judged"]]
    judged.sort(key=lambda row: row["spent_usd"] is None)  # one with a price answers every question
    if not judged:
        return str(entry.sql)
    values = _example(reading, judged)
    for runs in (values["run"], values["run"][:1]):
        wanted = {
            one.name: runs if one.kind == "texts" else runs[0] if one.name == "run" else values[one.name]
            for one in entry.parameters
            if one.required and one.name in values
        }
        try:
            return reading.ask(entry.name, **wanted).sql
        except PassatkError:
            continue
    return str(entry.sql)


def _example(reading: Reading, judged: list[Row]) -> dict[str, Any]:
    """Values that stand for what a reader would ask about."""
    first = judged[0]
    runs = [row["run"] for row in judged if row["benchmark"] == first["benchmark"]][:2]
    verifiers = [row["verifier"] for row in reading.ask("run_verifiers", run=first["run"]).records]
    proxy = next((one for one in verifiers if one != first["reference"]), verifiers[0])
    problem = reading.ask("pass_rates", run=first["run"]).records[0]["problem"]
    return {"run": runs, "problem": problem, "sample_index": 0, "verifier": proxy, "target": 0.5}


def _schema(reading: Reading) -> None:
    tables_of = {table.name: table for table in schema(reading)}
    name = st.selectbox(
        "Tables",
        [*tables_of],
        format_func=lambda name: f"{name} · {plural(tables_of[name].rows, 'row')}",
        key="sql table name",
    )
    if not name:
        return
    st.caption(tables_of[name].comment)
    st.dataframe(
        [{"column": column, "type": kind, "meaning": comment} for column, kind, comment in tables_of[name].columns],
        hide_index=True,
        height="content",
        alt=f"Columns of {name}",
    )


def _editor(reading: Reading, controls: Controls) -> None:
    asked = controls.link.text("query")
    if asked is not None or _TEXT not in st.session_state:
        st.session_state[_TEXT] = asked or st.session_state.get(_LAST, _FIRST)
    # A form keeps a half-typed query from rerunning the page; Ctrl+Enter in the text sends it.
    with st.form("sql form", border=False):
        text = st.text_area("Query", key=_TEXT, height=230, label_visibility="collapsed") or ""
        sent = st.form_submit_button("Run", type="primary", icon=":material/play_arrow:")
    st.session_state[_LAST] = text
    if len(text) <= _LINKED:
        controls.values["query"] = text
    if sent:
        st.session_state[_RESULT] = queries.run(reading, text)


def _result(reading: Reading) -> None:
    kept: queries.Kept | None = st.session_state.get(_RESULT)
    if kept is None:
        st.info("Results appear here. Ctrl+Enter runs the query.")
        return
    if kept.table is None:
        st.error("The query did not run.")
        st.code(kept.error, language=None, wrap_lines=True)
        return
    table = kept.table
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{plural(kept.rows, 'row')} in {1000 * kept.seconds:,.0f} ms", width="content")
        if kept.cut:
            st.badge(plain(kept.cut), icon=":material/content_cut:", color="orange")
        if kept.snapshot_id != reading.id:
            st.badge("from an earlier snapshot", icon=":material/schedule:", color="gray")
    if not table.num_rows:
        st.info("The query ran and returned no row.")
        return
    st.dataframe(table, hide_index=True, placeholder="null", alt="Result of the query", key="sql table")
    st.download_button(
        f"Download {plural(table.num_rows, 'row')} as CSV",
        data=lambda: queries.csv_bytes(table),
        file_name="result.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="download result",
    )
