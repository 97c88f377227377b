"""The SQL editor: CodeMirror with the snapshot's own names, from this package's files alone.

Where no browser is (tests in process) the component draws nothing; the text lives in the session either way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

from dashboard.snapshots import Reading, functions, schema
from dashboard.wording import plural

#: Where the text is kept in the session, and how often the server (not the reader) has put another one there.
TEXT, _VERSION = "sql text", "sql text version"
_KEY = "sql editor"
_NAME = "passatk.sql_editor"


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
    # One registration for each server: its manager serves the files, under the page's own address.
    return _registered(get_bidi_component_manager())


@cache
def _registered(manager: Any) -> Any:
    """The files are declared here and not in a manifest: an editable install has none that Streamlit would find."""
    folder = Path(__file__).parent
    manifest = ComponentManifest("passatk", "1", [ComponentConfig("sql_editor", "editor/assets")])
    manager.register_from_manifest(manifest, folder)
    return st.components.v2.component(_NAME, js="editor.js", html='<div class="editor"></div>')
