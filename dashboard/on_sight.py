"""Parts of a page that are made once a reader has scrolled to them, not before.

What lies below the first chart would otherwise be sent and drawn with it, and hold it up. Its room is kept free.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.controls import Controls
from dashboard.own_components import component

_HTML = '<div class="room" aria-hidden="true"></div>'
# As many side by side as the charts that will stand there: at most three, none narrower than 300 px.
_CSS = """
.room { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(max(300px, (100% - 2rem) / 3), 1fr)) }
.room > div { height: var(--height); border-radius: 6px; background: var(--st-secondary-background-color) }
.room > div:only-child { grid-column: 1 / -1 }
"""


#: Height of a row of a table, pixels.
_ROW = 35


def table_height(rows: int) -> int:
    """How high a table of so many rows stands with its header, pixels; tables scroll beyond ten rows."""
    return _ROW * (1 + min(rows, 10))


def on_sight(controls: Controls, key: str, height: int, fill: Callable[[], None], parts: int = 1) -> None:
    """A part of the page that `fill` draws once it comes into sight; until then `parts` boxes of `height` pixels.

    `fill` makes no choices that belong into the page's address: they would not be in it before.
    """
    st.fragment(_on_sight)(controls, key, height, fill, parts)


def _on_sight(controls: Controls, key: str, height: int, fill: Callable[[], None], parts: int) -> None:
    if key in controls.seen:
        fill()
        return
    component("sight", "sight.js", _HTML, _CSS)(
        key=f"in sight {key}",
        data={"height": height, "parts": parts},
        on_seen_change=lambda: controls.seen.add(key),
        height="content",
    )
