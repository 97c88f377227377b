"""Beside the SQL editor: what the snapshot holds, with comments and row counts, and the catalogue of queries."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import sql_editor
from dashboard.scope import Row, summaries
from dashboard.snapshots import Reading, functions, schema
from dashboard.wording import plain, plural
from store.analytics import CatalogueEntry, TableInfo
from store.errors import PassatkError


def catalogue(reading: Reading) -> None:
    """Choose a catalogued query, read what it answers, put it into the editor."""
    entries = {entry.title: entry for entry in reading.snapshot.sql_catalogue()}
    title = st.selectbox(
        "Catalogued queries",
        [*entries],
        index=None,
        placeholder=f"Choose one of {len(entries)}",
        key="sample query",
    )
    entry = entries.get(title or "")
    if entry is None:
        return
    with st.container(border=True):
        st.markdown(f"**{plain(entry.question)}**")
        st.caption(f"One row is {plain(entry.grain)}. `passatk query {entry.name}`")
        st.button(
            "Put into the editor",
            key="use query",
            icon=":material/input:",
            on_click=lambda: sql_editor.put(f"{_header(entry)}\n{filled(reading, entry)}"),
        )
        with st.expander(f"{plural(len(entry.columns), 'column')}"):
            for column in entry.columns:
                unit = f" · {column.unit}" if column.unit else ""
                st.caption(f"`{column.name}`{plain(unit)} {plain(column.text)}")


def _header(entry: CatalogueEntry) -> str:
    return f"-- {entry.title}: {entry.question}"


def filled(reading: Reading, entry: CatalogueEntry) -> str:
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


def schema_tree(reading: Reading) -> None:
    """Every table with its comment, rows and columns; those without a row in one place below."""
    tables = schema(reading)
    wanted = (
        st.text_input("Tables and columns", placeholder="Filter tables and columns", key="table filter") or ""
    ).lower()
    found = [one for one in tables if _matches(one, wanted)]
    if not found:
        st.info("No table matches. Clear the filter.")
    for table in found:
        if table.rows:
            with st.expander(f"{table.name} · {plural(table.rows, 'row')}", icon=":material/table:"):
                _table(table)
    empty = [one for one in found if not one.rows]
    if empty:
        with st.expander(f"Without rows here · {plural(len(empty), 'table')}", icon=":material/table_rows_narrow:"):
            for table in empty:
                st.caption(f"`{table.name}` {plain(table.comment)}")
    _functions(reading, wanted)


def _matches(table: TableInfo, wanted: str) -> bool:
    texts = (table.name, table.comment, *(column for column, *_ in table.columns))
    return any(wanted in text.lower() for text in texts)


def _table(table: TableInfo) -> None:
    if table.comment:
        st.caption(plain(table.comment))
    lines = [f"- `{name}` {kind}{f' — {plain(comment)}' if comment else ''}" for name, kind, comment in table.columns]
    st.markdown("\n".join(lines))
    names = ", ".join(name for name, *_ in table.columns)
    text = f"SELECT {names}\nFROM analytics.{table.name}\nLIMIT 100"
    st.button(
        "Look at rows",
        key=f"look {table.name}",
        icon=":material/input:",
        on_click=lambda: sql_editor.put(text),
    )


def _functions(reading: Reading, wanted: str) -> None:
    known = [one for one in functions(reading) if wanted in one[0].lower()]
    if known:
        with st.expander(plural(len(known), "function"), icon=":material/function:"):
            for name, parameters, meaning in known:
                st.caption(f"`{name}{parameters}` {plain(meaning)}")
