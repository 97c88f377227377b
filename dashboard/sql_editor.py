"""The SQL editor: CodeMirror with the snapshot's own names. Its text lives in the session, browser or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.own_components import component
from dashboard.snapshots import Reading, functions, schema
from dashboard.wording import plural

#: Where the text is kept in the session, and how often the server (not the reader) has put another one there.
TEXT, _VERSION = "sql text", "sql text version"
_KEY = "sql editor"


def put(text: str) -> None:
    """Put a text into the editor in place of what is there."""
    st.session_state[TEXT] = text
    st.session_state[_VERSION] = st.session_state.get(_VERSION, 0) + 1


def editor(reading: Reading, on_run: Callable[[], None]) -> None:
    """Draw the editor; `on_run` is called, before the page is run, when the reader presses Ctrl+Enter."""

    def typed() -> None:
        text = _said("text")
        if text is not None:
            st.session_state[TEXT] = text

    def ran() -> None:
        text = _said("run")
        if text is not None:
            st.session_state[TEXT] = text
            on_run()

    _component()(
        key=_KEY,
        data={
            "text": st.session_state.get(TEXT, ""),
            "version": st.session_state.get(_VERSION, 0),
            "schema": reading.id,
            **_names(reading),
        },
        on_text_change=typed,
        on_run_change=ran,
        height="content",
    )


def _said(name: str) -> str | None:
    value = getattr(st.session_state.get(_KEY), name, None)
    return value if isinstance(value, str) else None


def _names(reading: Reading) -> dict[str, Any]:
    tables = [
        {"name": one.name, "comment": one.comment, "rows": plural(one.rows, "row"), "columns": one.columns}
        for one in schema(reading)
    ]
    return {"tables": tables, "functions": functions(reading)}


def _component() -> Any:
    return component("sql_editor", "editor.js", '<div class="editor"></div>')
