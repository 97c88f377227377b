"""The figures of the paper in one click: a menu, and a drawer with the figure and its files."""

from __future__ import annotations

import streamlit as st

from dashboard import figure_block
from dashboard.charts.palette import run_slots
from dashboard.figures.catalogue import TITLES, Asked, draw
from dashboard.scope import Row, Scope
from dashboard.snapshots import Reading
from dashboard.wording import plain, told
from store.errors import PassatkError


def menu(reading: Reading, rows: list[Row], chosen: Scope, marker: int) -> None:
    """The button with the names of the figures; the one chosen opens beside the page."""
    name = st.menu_button(
        "Figures",
        options=list(TITLES),
        format_func=TITLES.__getitem__,
        icon=":material/auto_graph:",
        key="paper figures",
        help="The figures of arXiv 2407.21787 over the chosen runs; `passatk figure NAME` draws the same.",
    )
    if name:
        slots = chosen.slots or run_slots(chosen.names, chosen.names)
        _drawer(reading, str(name), Asked(chosen.runs, tuple(rows), marker=marker, slots=slots))


@st.dialog("Figure", width="large", position="right")
def _drawer(reading: Reading, name: str, asked: Asked) -> None:
    try:
        with st.spinner("Drawing"):
            figure = draw(reading, name, asked)
    except PassatkError as error:
        st.info(told(str(error)))
        return
    st.subheader(figure.title, anchor=False)
    several = "concat" in figure.spec
    st.vega_lite_chart(figure.spec, key=f"paper {name}", width="content" if several else "stretch")
    st.caption(plain(figure.caption))
    with st.container(horizontal=True, gap="small"):
        figure_block.chart_buttons(figure, f"figure {name}")
        figure_block.data_buttons(figure.records, f"figure {name}")
    runs = " ".join(f"--run {row['run']}" for row in asked.runs)
    st.code(f"passatk figure {name} {runs} -o {name}.pdf", language="bash", wrap_lines=True)
