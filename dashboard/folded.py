"""Parts of a page that are made once a reader unfolds them, not before.

Highlighting a text costs a browser more than drawing the page's chart, also where nobody looks at the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st


def folded(label: str, key: str, fill: Callable[[], None]) -> None:
    """An expander that `fill` fills when it is opened; the rest of the page is not run again for that."""
    st.fragment(_folded)(label, key, fill)


def _folded(label: str, key: str, fill: Callable[[], None]) -> None:
    place = st.expander(label, key=key, on_change="rerun")
    if is_open(place):
        with place:
            fill()


def is_open(place: Any) -> bool:
    """Whether the reader has unfolded it."""
    return bool(place.open)
