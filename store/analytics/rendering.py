"""Answers as text: a table to read, or CSV and JSON with every digit; and as Parquet."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter

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
            names = _distinct(columns)
            records = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
            return json.dumps(records, ensure_ascii=False, indent=2)
        case _:
            return _table(columns, rows, units or {})


def _distinct(columns: Sequence[str]) -> list[str]:
    """Names of columns for an object: those that came before get their number, or a value would be lost."""
    names: dict[str, None] = {}
    for column in columns:
        name, number = column, 1
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names[name] = None
    return list(names)


def python_values(column: pa.ChunkedArray) -> list[Any]:
    """A column as Python values; moments beyond Python's calendar (infinity, the year 10,000) as text."""
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        return [_python_value(cell) for cell in column]


def _python_value(cell: pa.Scalar) -> Any:
    try:
        return cell.as_py()
    except (OverflowError, ValueError):
        if isinstance(cell, pa.ListScalar) and cell.values is not None:
            return [_python_value(item) for item in cell.values]
        value = getattr(cell, "value", None)
        if value in (2**63 - 1, 2**31 - 1):
            return "infinity"
        return "-infinity" if value in (1 - 2**63, 1 - 2**31) else f"beyond the calendar: {value} {cell.type}"


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
    # Texts come from models: what would move the cursor, color the terminal or turn the line around shows as its code.
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(str(_plain(value)).split()))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."


def write(table: pa.Table, format_name: str, output: Path | None, units: Mapping[str, str | None]) -> None:
    """Write an answer to a file, or to the terminal or pipe; Parquet is not shown on a terminal."""
    if format_name != "parquet":
        rows = list(zip(*map(python_values, table.columns), strict=True))
        text = rendered(tuple(table.column_names), rows, format_name, units)
        if output is None:
            click.echo(text)
        else:
            output.write_text(text + "\n", encoding="utf-8")
        return
    if output is None and sys.stdout.isatty():
        raise BadParameter("Parquet is not text: name a file with --output, or pipe it.")
    target: Any = sys.stdout.buffer if output is None else str(output)
    pq.write_table(table, target, compression="zstd")


def catalogue_page(entries: Iterable[CatalogueEntry]) -> str:
    """The catalogue of queries as one page in Markdown."""
    lines = ["# Catalogued queries", ""]
    lines += [
        "`passatk queries` lists them, `passatk query NAME --run RUN ...` answers one; in Python it is a function"
    ]
    lines += ["of that name in `store.analytics`. This page is printed by `passatk queries --markdown`.", ""]
    for entry in entries:
        lines += [f"## {entry.name}", "", f"**{entry.title}.** {entry.question}", "", f"*Grain*: {entry.grain}.", ""]
        if entry.parameters:
            lines += ["| parameter | kind | default | |", "|---|---|---|---|"]
            lines += [
                f"| `{one.name}` | {_cell_text(one.kind)} | {one.default or 'required'} | {_cell_text(one.text)} |"
                for one in entry.parameters
            ]
            lines.append("")
        lines += ["| column | unit | |", "|---|---|---|"]
        lines += [f"| `{one.name}` | {one.unit or ''} | {_cell_text(one.text)} |" for one in entry.columns]
        lines += ["", f"*Source*: {entry.source}.", ""]
    return "\n".join(lines)


def _cell_text(text: str) -> str:
    return text.replace("|", "\\|")
