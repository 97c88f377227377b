"""Tables under charts and their downloads."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.wording import plural


def separated(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Looks of the columns of a table that hold whole numbers: with thousands separators."""
    whole: dict[str, bool] = {}
    for row in rows:
        for name, value in row.items():
            if value is not None:
                whole[name] = whole.get(name, True) and isinstance(value, int) and not isinstance(value, bool)
    return {name: st.column_config.NumberColumn(format="localized") for name, kind in whole.items() if kind}


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as CSV with full precision; an empty cell where there is no value."""
    if not records:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


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
