"""Answers as text: a table to read, or CSV and JSON with every digit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

FORMATS = ("table", "csv", "json")
_WIDEST = 60


def rendered(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    format_name: str,
    units: Mapping[str, str | None] | None = None,
) -> str:
    """Rows in a format; `units` of columns only matter to the table, where shares are shown in percent."""
    match format_name:
        case "csv":
            return _csv(columns, rows)
        case "json":
            records = [dict(zip(columns, map(_plain, row), strict=True)) for row in rows]
            return json.dumps(records, ensure_ascii=False, indent=2)
        case _:
            return _table(columns, rows, units or {})


def _plain(value: Any) -> Any:
    """A value as JSON has it: numbers as numbers, moments in ISO 8601, what JSON lacks as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else None
        case datetime() | date():
            return value.isoformat()
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case bytes():
            return value.hex()
        case _:
            return _number(value)


def _number(value: Any) -> Any:
    """Decimals as numbers, anything else as text."""
    from decimal import Decimal

    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
    return str(value)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        plain = [_plain(value) for value in row]
        writer.writerow([json.dumps(v) if isinstance(v, list | dict | bool) else "" if v is None else v for v in plain])
    return out.getvalue().rstrip("\n")


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], units: Mapping[str, str | None]) -> str:
    cells = [[_cell(value, units.get(column)) for column, value in zip(columns, row, strict=True)] for row in rows]
    numeric = [
        all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in column)
        for column in zip(*rows, strict=True)
    ] or [False] * len(columns)
    widths = [max(len(row[place]) for row in [list(columns), *cells]) for place in range(len(columns))]
    lines = [_line(columns, widths, numeric), *(_line(row, widths, numeric) for row in cells)]
    return "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    cells = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(row, widths, numeric, strict=True)
    )
    return "  ".join(cells).rstrip()


def _cell(value: Any, unit: str | None) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float() if unit == "share":
            return f"{value * 100:.2f} %"
        case float() if unit == "US$":
            return f"{value:,.2f}" if value >= 100 else f"{value:.4g}"
        case float():
            return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.6g}"
        case int():
            return f"{value:,}" if unit else str(value)
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
    text = " ".join(str(_plain(value)).split())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."
