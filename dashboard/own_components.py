"""Components that this package brings itself: their scripts come from its files alone, as the headers demand.

Where no browser is (tests in process) a component draws nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

#: name -> folder of its files.
_FOLDERS = {"sql_editor": "editor/assets", "sight": "sight/assets", "arrival": "arrival/assets"}


def component(name: str, script: str, html: str, css: str | None = None) -> Any:
    """What mounts the component of this name: its script is a file of its folder."""
    # One registration for each server: its manager serves the files, under the page's own address.
    return _registered(get_bidi_component_manager(), name, script, html, css)


@cache
def _registered(manager: Any, name: str, script: str, html: str, css: str | None) -> Any:
    _declared(manager)
    return st.components.v2.component(f"passatk.{name}", js=script, html=html, css=css)


@cache
def _declared(manager: Any) -> None:
    """The folders are declared here and not in a manifest: an editable install has none that Streamlit would find."""
    configs = [ComponentConfig(name, folder) for name, folder in _FOLDERS.items()]
    manager.register_from_manifest(ComponentManifest("passatk", "1", configs), Path(__file__).parent)
