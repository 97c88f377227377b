"""A figure: a chart with everything a reader needs beside it. The same on a page, in a file and in a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dashboard.answers import Row


@dataclass(frozen=True)
class Figure:
    """A Vega-Lite spec, a caption that says what is drawn and how, the numbers, and the SQL that returns them."""

    name: str
    title: str
    spec: dict[str, Any]
    caption: str
    records: list[Row] = field(default_factory=list)
    sql: str = ""
    notes: tuple[str, ...] = ()
