"""Ways that lead a reader from one page to another, with the choices that the other takes over."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.controls import choose_for_next_page
from dashboard.own_components import component

#: How often this reader was led to a page, and whether the page has been drawn since.
_LED, _ARRIVES = "led to a page", "arrives at a page"


def open_page(path: str, **choices: Any) -> None:
    """Open the page with this path from the body of another; `choices` by the names they are kept by."""
    from dashboard.navigation import pages  # which knows the pages, and they know this module

    choose_for_next_page(**choices)
    st.session_state[_LED] = st.session_state.get(_LED, 0) + 1
    st.session_state[_ARRIVES] = True
    st.switch_page(pages()[path])


def arrive() -> None:
    """Begin at the top of the page, where a reader was led here and not by the navigation."""
    if st.session_state.pop(_ARRIVES, False):
        mount = component("arrival", "arrival.js", "<span></span>")
        mount(key="arrival", data={"led": st.session_state[_LED]}, width=1, height=1)
