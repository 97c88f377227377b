"""A verifier as it is named on the command line: NAME, or NAME:OPTION=VALUE,OPTION=VALUE, or NAME:{JSON object}."""

from __future__ import annotations

import json
import re
from typing import Any

from store.errors import PassatkError

_PAIR = re.compile(r"([a-z_][a-z0-9_]*)=(.*)", re.DOTALL)


def parse_verifier(text: str) -> tuple[str, dict[str, Any]]:
    """(name, options). A value that reads as JSON is that (numbers, true, lists), any other is text.

    Raises PassatkError for what is neither of the three forms. A value with a comma needs the JSON form.
    """
    name, colon, rest = text.partition(":")
    if not name or (colon and not rest):
        raise PassatkError(f'"{text}" names no verifier: give NAME, or NAME:OPTION=VALUE,OPTION=VALUE.')
    if rest.startswith("{"):
        try:
            return name, dict(json.loads(rest))
        except ValueError as error:
            raise PassatkError(f'The options of verifier "{name}" are no JSON object: {error}.') from None
    return name, dict(_pair(name, part) for part in rest.split(",")) if rest else {}


def _pair(name: str, text: str) -> tuple[str, Any]:
    match = _PAIR.fullmatch(text)
    if match is None:
        raise PassatkError(f'Option "{text}" of verifier "{name}" must be OPTION=VALUE.')
    try:
        return match[1], json.loads(match[2])
    except ValueError:
        return match[1], match[2]
