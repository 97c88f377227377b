"""The histogram of pass rates as a way to problems: a click on a bar, or its range in a menu that keys reach too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard import figure_block
from dashboard.charts.pass_rates import CLICKED, clickable
from dashboard.charts.rate_bins import ALWAYS, NEVER, PassRateBin
from dashboard.wording import plural


def draw(bins: Sequence[PassRateBin], spec: dict[str, Any], key: str, chosen: Callable[[PassRateBin], None]) -> None:
    """The chart and the menu below it; `chosen` is called with the bin before the page is run again."""
    by_label = {one.label: one for one in bins}

    def clicked() -> None:
        bars = st.session_state[key]["selection"].get(CLICKED)
        if bars:
            chosen(by_label[bars[0]["bin"]])

    def picked() -> None:
        chosen(by_label[st.session_state[f"{key} menu"]])

    figure_block.draw(clickable(spec), key, on_select=clicked)
    filled = [one.label for one in bins if one.problems]
    if filled:
        st.menu_button(
            "See problems",
            filled,
            key=f"{key} menu",
            on_click=picked,
            format_func=lambda label: _line(by_label[label]),
            type="tertiary",
            icon=":material/arrow_forward:",
            help="Those of one range of pass rates. A click on a bar does the same.",
        )


def _line(one: PassRateBin) -> str:
    words = {NEVER: "never solved", ALWAYS: "always solved"}.get(one.name, one.label)
    return f"{words} · {plural(one.problems, 'problem')}"
