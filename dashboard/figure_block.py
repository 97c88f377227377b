"""A figure on a page: chart, caption, numbers, SQL and files of it. One way for every chart."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal

import streamlit as st

from dashboard.charts.axes import fitting
from dashboard.controls import Controls
from dashboard.figures.figure import Figure
from dashboard.folded import folded
from dashboard.frame import behind_chart
from dashboard.on_sight import on_sight
from dashboard.rendering import FORMATS, rendered
from dashboard.tables import csv_text, separated
from dashboard.wording import NONE, plain, plural

_SQL_SAYS = "Returns the numbers of this chart, or the counts they are made of, in `passatk sql`, psql and here."

#: Room kept for a chart that does not say its height, and for what stands below any, pixels.
_CHART, _BELOW = 360, 150

_TYPES = {"svg": "image/svg+xml", "png": "image/png", "pdf": "application/pdf"}


def draw(
    spec: Mapping[str, Any], key: str, alt: str | None = None, on_select: Callable[[], None] | None = None
) -> None:
    """A chart as wide as its place. Its height is kept free until it is drawn, so that nothing below it moves.

    `on_select` is called when a reader clicks on what the spec has a selection for.
    """
    spec = fitting(dict(spec))
    fitted = spec.get("autosize", {}).get("type", "fit") != "fit-x"  # else its axes come on top of its height
    height = spec.get("height")
    kept: int | Literal["content"] = height if fitted and isinstance(height, int) else "content"
    st.vega_lite_chart(spec=spec, key=key, width="stretch", height=kept, alt=alt, on_select=on_select or "ignore")


def show(
    figure: Figure,
    rows: Sequence[Mapping[str, Any]],
    key: str,
    table: str = "Table and export",
    widest: int | None = None,
) -> None:
    """The chart with its caption; below it the table (`rows` as read), every digit for download, and the SQL.

    `widest` is the most it may take, in pixels; a page can be wider than a chart is good for.
    """
    with st.container(width=widest) if widest else nullcontext():
        draw(figure.spec, f"{key} chart")
    if figure.caption:
        st.caption(plain(figure.caption))
    below(figure, rows, key, table)


def show_on_sight(
    controls: Controls,
    figure: Figure,
    rows: Sequence[Mapping[str, Any]],
    key: str,
    table: str = "Table and export",
    widest: int | None = None,
) -> None:
    """The same for a chart below another: drawn once it is scrolled to."""
    height = figure.spec.get("height")
    room = _BELOW + (height if isinstance(height, int) else _CHART)
    on_sight(controls, key, room, lambda: show(figure, rows, key, table, widest))


def below(figure: Figure, rows: Sequence[Mapping[str, Any]], key: str, table: str = "Table and export") -> None:
    """What stands under a chart."""

    def fill() -> None:
        st.dataframe(
            rows,
            hide_index=True,
            placeholder=NONE,
            alt=f"Table of {figure.title}",
            column_config=separated(rows),
        )
        with st.container(horizontal=True, gap="small"):
            data_buttons(figure.records, key)
            chart_buttons(figure, key)

    folded(table, f"{key} table", fill)
    behind_chart(key, figure.sql, figure.notes, _SQL_SAYS)


def data_buttons(records: Sequence[Mapping[str, Any]], key: str) -> None:
    """Every row and digit as CSV and Parquet, made when a button is pressed."""
    _button(f"CSV, {plural(len(records), 'row')}", lambda: csv_text(records), f"{key}.csv", "text/csv")
    _button("Parquet", lambda: parquet(records), f"{key}.parquet", "application/vnd.apache.parquet")


def chart_buttons(figure: Figure, key: str) -> None:
    """The chart as a picture in the colours of the mode on screen."""
    mode = "dark" if st.context.theme.type == "dark" else "light"
    for kind in FORMATS:

        def made(kind: str = kind) -> bytes:
            return rendered(figure.spec, kind, mode, title=figure.title)

        _button(kind.upper(), made, f"{key}.{kind}", _TYPES[kind])


def parquet(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Records as one Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in records]), sink)
    return sink.getvalue()


def _button(label: str, made: Any, file: str, kind: str) -> None:
    st.download_button(
        label,
        data=made,
        file_name=file,
        mime=kind,
        icon=":material/download:",
        on_click="ignore",
        key=f"download {file}",
    )
