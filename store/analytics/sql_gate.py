"""The parse gate: which text may run at all. One SELECT (or EXPLAIN of one), table functions by allow-list.

Names are looked for in DuckDB's own syntax tree, never in the text: quoting, comments and case do not matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

LONGEST_TEXT = 100_000
TABLE_FUNCTIONS = frozenset(
    {
        "range",
        "generate_series",
        "unnest",
        "repeat",
        "repeat_row",
        "json_each",
        "json_tree",
        "histogram",
        "histogram_values",
        "summary",
        "duckdb_tables",
        "duckdb_columns",
        "duckdb_views",
        "duckdb_functions",
        "duckdb_types",
        "duckdb_schemas",
        "duckdb_keywords",
        "pragma_table_info",
        "pragma_version",
    }
)
#: Scalars that wait, write logs, tell settings, or plan text that this gate has not seen.
REFUSED_FUNCTIONS = frozenset(
    {
        "sleep_ms",
        "pg_sleep",
        "write_log",
        "current_setting",
        "getvariable",
        "json_serialize_plan",
        "json_execute_serialized_sql",
        "getenv",
        "nextval",
        "currval",
    }
)
#: EXPLAIN with what may stand before it. Nothing of it is handed on but the two groups, which hold plain words alone:
#: where this reads a comment otherwise than DuckDB does, the text behind it never runs.
_EXPLAIN = re.compile(
    r"(?>\s+|--[^\n\r]*|/\*(?:[^*]|\*(?!/))*\*/)*+"
    r"EXPLAIN\b\s*(?P<analyze>ANALYZE\b)?\s*(?P<options>\(\s*(?:ANALYZE|FORMAT)\b[\w\s,]*\))?",
    re.IGNORECASE,
)
_ONE_SELECT = "Only one SELECT (or WITH, VALUES, FROM, DESCRIBE, EXPLAIN of them) runs here"


class Refused(Exception):
    """The text may not run; the message says why and, where there is one, the other way."""


def check(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """The text to run in place of `text`: what was looked at and nothing else. Raises Refused where none may run.

    The connection must be locked down: parsing some text opens files.
    """
    if len(text.encode()) > LONGEST_TEXT:
        raise Refused(f"The text has more than {LONGEST_TEXT:,} bytes.")
    if "\0" in text:
        raise Refused("The text holds a NUL byte.")
    explain = _EXPLAIN.match(text)
    inner = text[explain.end() :] if explain else text
    _check_tree(_tree(connection, inner))
    return " ".join(filter(None, ("EXPLAIN", explain["analyze"], explain["options"], inner))) if explain else inner


def _tree(connection: duckdb.DuckDBPyConnection, text: str) -> Any:
    """DuckDB's syntax tree of the one SELECT that the text is."""
    row = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchone()
    parsed = json.loads(row[0]) if row else {}
    if parsed.get("error"):
        message = str(parsed.get("error_message", ""))
        if "Only SELECT" in message:
            raise Refused(f"{_ONE_SELECT}, and this changes something. {_hint(text)}".strip())
        raise Refused(f"{message} {_caret(text, parsed)}".strip())
    trees: list[Any] = parsed.get("statements", [])
    if len(trees) != 1:
        raise Refused(f"{_ONE_SELECT}; there {'is none' if not trees else f'are {len(trees)}'}.")
    return trees[0]


def _caret(text: str, parsed: dict[str, Any]) -> str:
    try:
        place = int(parsed.get("position", ""))
    except ValueError:
        return ""
    return f"(at character {place + 1}: {text[place : place + 30]!r})"


def _hint(text: str) -> str:
    first = re.match(r"\W*(\w+)", text)
    word = first[1].upper() if first else ""
    return {
        "COPY": "COPY writes files: ask for CSV instead.",
        "EXPORT": "EXPORT writes files: ask for CSV instead.",
        "SET": "Settings are locked.",
        "PRAGMA": "Settings are locked; DESCRIBE and duckdb_columns() tell the schema.",
        "ATTACH": "Other databases cannot be reached from here.",
        "PIVOT": "PIVOT needs its values listed: PIVOT ... ON column IN (...).",
    }.get(word, "")


def _check_tree(tree: Any) -> None:
    for node in _nodes(tree):
        if node.get("type") == "TABLE_FUNCTION":
            name = str((node.get("function") or {}).get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise Refused(f"The table function {name or '?'} may not be used here.")
        name = str(node.get("function_name", "")).lower()
        if name in REFUSED_FUNCTIONS:
            raise Refused(f"The function {name} may not be used here.")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
