"""SQL: an analyst's own question to the snapshot, in a process of its own."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import queries, readers, sql_editor, workbench
from dashboard.controls import Controls
from dashboard.frame import view
from dashboard.snapshots import Reading
from dashboard.sql_editor import TEXT
from dashboard.sql_results import draw_result
from dashboard.wording import clock, plain, plural
from store.analytics.sql_runner import SqlLimits

_RESULT = "sql result"
_ASKED = "sql asked"
#: A longer text does not go into the page's address.
_LINKED = 4_000
_FIRST = """SELECT r.run, v.verifier, avg(pass_at_k(c.n, c.c, 1)) AS coverage_at_1
FROM analytics.problem_counts AS c
JOIN analytics.runs AS r USING (run_id)
JOIN analytics.verifiers AS v USING (verifier_id)
GROUP BY ALL
ORDER BY coverage_at_1 DESC"""


@view("SQL", "Ask the snapshot anything, in SQL.")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    if not readers.may("analyst"):
        st.info(
            "SQL is for analysts. Ask whoever keeps the dashboard's access file; every other page is yours to read."
        )
        return
    limits = SqlLimits()
    st.caption(
        f"Read-only snapshot {clock(reading.taken_at)} UTC · one SELECT at a time, in a process of its own · "
        f"{limits.seconds:.0f} s · {limits.memory.replace('MB', ' MB')} · "
        f"first {limits.rows:,} rows shown, downloads are whole"
    )
    _from_link(controls)
    # The editor comes first: on a phone columns stand under one another, and the keyboard meets it first. Where they
    # stand side by side, the style of the shell puts the tables on the left.
    with st.container(key="workbench"):
        editing, tables = st.columns([5, 2], gap="medium")
    with editing:
        past = _editor(reading)
        text = st.session_state[TEXT]
        if len(text) <= _LINKED:
            controls.values["query"] = text
        else:
            st.caption(f"The query is longer than {_LINKED:,} characters, so the link of this page leaves it out.")
        _ran(reading)
        with past:  # after the query: what has just run belongs to the past
            _history()
        draw_result(reading, st.session_state.get(_RESULT))
    with tables:
        workbench.catalogue(reading)
        workbench.schema_tree(reading)


def _from_link(controls: Controls) -> None:
    asked = controls.link.text("query")
    if asked is not None and asked != st.session_state.get(TEXT):
        sql_editor.put(asked)
    st.session_state.setdefault(TEXT, _FIRST)


def _editor(reading: Reading) -> DeltaGenerator:
    """Draw the editor and its buttons; the place among them where the session's past belongs."""
    sql_editor.editor(reading, on_run=lambda: _ask(""))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Run",
            type="primary",
            icon=":material/play_arrow:",
            key="run query",
            help="Ctrl+Enter in the editor does the same.",
            on_click=lambda: _ask(""),
        )
        st.button(
            "Explain",
            icon=":material/account_tree:",
            key="explain query",
            help="The plan DuckDB would follow; nothing is run.",
            on_click=lambda: _ask("EXPLAIN "),
        )
        past = st.container(width="content")
        with st.popover("Elsewhere", icon=":material/terminal:", help="The same query outside the dashboard"):
            st.caption("On the snapshot, with the same limits:")
            st.code('passatk sql "$(cat query.sql)" --format csv', language="bash")
            st.caption("In the store itself, as the read-only role; the contract's names are the same:")
            st.code("passatk store psql -f query.sql", language="bash")
    return past


def _history() -> None:
    past = queries.history()
    with st.popover("History", icon=":material/history:", disabled=not past, help="Queries of this session"):
        for place, one in enumerate(past):
            first = next((line for line in one.text.splitlines() if line.strip() and not line.startswith("--")), "")
            came = "failed" if one.table is None else plural(one.rows, "row")
            st.button(
                f"{clock(one.at)} · {came} · {plain(first[:60])}",
                key=f"history {place}",
                type="tertiary",
                on_click=sql_editor.put,
                args=(one.text,),
            )


def _ask(before: str) -> None:
    st.session_state[_ASKED] = before


def _ran(reading: Reading) -> None:
    """Run what was asked for before the page was run: a press of Run, Explain, or Ctrl+Enter."""
    before = st.session_state.pop(_ASKED, None)
    if before is None:
        return
    text = st.session_state[TEXT]
    if not text.strip():
        st.session_state[_RESULT] = None
        return
    explained = text.lstrip().upper().startswith("EXPLAIN")
    st.session_state[_RESULT] = queries.run(reading, text if explained else before + text)
