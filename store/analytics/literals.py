"""Python values as SQL literals and names, the same in Postgres and DuckDB."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

Value = str | int | float | bool | date | None | list[int] | list[str]


def quoted(text: object) -> str:
    """A text literal."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """A literal; lists become arrays, None becomes NULL."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case datetime():
            return f"TIMESTAMPTZ {quoted(value.isoformat())}"
        case date():
            return f"DATE {quoted(value.isoformat())}"
        case str():
            return quoted(value)
        case list():
            return "ARRAY[" + ", ".join(literal(item) for item in value) + "]"


def paths(files: Iterable[Path]) -> str:
    """A list literal of paths."""
    return "[" + ", ".join(quoted(file) for file in files) + "]"
