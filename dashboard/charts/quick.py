"""A quick look at a query's result: lines over an ordered column, bars over names. Pure functions."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

#: More rows than this are not drawn: the page says so.
MOST_ROWS = 5_000


def kind_of(table: pa.Table, column: str) -> str:
    """The Vega-Lite type of a column: quantitative, temporal or nominal."""
    kind = table.schema.field(column).type
    if pa.types.is_temporal(kind):
        return "temporal"
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "quantitative" if numeric else "nominal"


def numbers(table: pa.Table) -> list[str]:
    """The columns that can be heights."""
    return [name for name in table.column_names if kind_of(table, name) == "quantitative"]


def quick_spec(table: pa.Table, x: str, y: str, colour: str | None = None) -> dict[str, Any]:
    """A chart of the first rows: `y` over `x`, one series for each value of `colour`."""
    ordered = kind_of(table, x) != "nominal"
    names = list(dict.fromkeys(name for name in (x, y, colour) if name))
    shown = table.select(names).slice(0, MOST_ROWS)
    values = [
        {name: value if isinstance(value, int | float | None) else str(value) for name, value in row.items()}
        for row in shown.to_pylist()
    ]
    encoding: dict[str, Any] = {
        "x": {"field": _field(x), "type": kind_of(table, x), "title": x, "sort": None, "axis": {"labelLimit": 160}},
        "y": {"field": _field(y), "type": "quantitative", "title": y, "stack": None},
        "tooltip": [{"field": _field(name), "type": kind_of(table, name), "title": name} for name in names],
    }
    if not ordered:
        encoding["x"]["axis"]["labelAngle"] = -30
    if colour:
        encoding["color"] = {"field": _field(colour), "type": "nominal", "title": colour}
    mark: dict[str, Any] = {"type": "line", "point": True} if ordered else {"type": "bar"}
    return {
        "data": {"values": values},
        "height": 320,
        "mark": mark | {"clip": True},
        "encoding": encoding,
    }


def _field(name: str) -> str:
    """A column's name as Vega-Lite reads it: dots and brackets are part of the name."""
    return "".join(f"\\{one}" if one in ".[]\\'\"" else one for one in name)
