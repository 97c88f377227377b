"""Tables under charts and their downloads."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.wording import NONE, plural


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as CSV with full precision; an empty cell where there is no value."""
    if not records:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def table_and_export(
    rows: Sequence[Mapping[str, Any]], exported: Sequence[Mapping[str, Any]], name: str, opened: bool = False
) -> None:
    """An expander with the table as read (`rows`) and the whole of it as CSV (`exported`, every digit)."""
    with st.expander("Table and export", expanded=opened):
        st.dataframe(rows, hide_index=True, placeholder=NONE, alt=f"Table of {name}")
        download(exported, name)


def download(records: Sequence[Mapping[str, Any]], name: str) -> None:
    """A button that makes and sends the CSV when it is pressed, not before."""
    st.download_button(
        f"Download {plural(len(records), 'row')} as CSV",
        data=lambda: csv_text(records),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"download {name}",
    )
