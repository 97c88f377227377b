"""Check what a caller gives for a query's parameters, once, so that everything behind may rely on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from store.analytics.concepts import CatalogueEntry, Parameter
from store.analytics.errors import BadParameter, UnknownParameter

#: Budgets beyond this are mistakes: no run has as many samples of one problem.
LARGEST_K = 10_000_000


def checked(entry: CatalogueEntry, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a query, typed; None stands for a default the query works out itself.

    Raises UnknownParameter or BadParameter with one line that names the query and the parameter.
    """
    known = {parameter.name: parameter for parameter in entry.parameters}
    for name in given:
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise UnknownParameter(f'Query {entry.name} has no parameter "{name}"; {takes}.')
    return {name: _value(entry.name, parameter, given.get(name)) for name, parameter in known.items()}


def _value(query: str, parameter: Parameter, given: Any) -> Any:
    if given is None or (isinstance(given, list | tuple) and not given and not parameter.required):
        if parameter.required:
            raise BadParameter(f"Query {query} needs {parameter.name}: {parameter.text}.")
        return _default(query, parameter)
    match parameter.kind:
        case "text":
            return _text(query, parameter, given)
        case "texts":
            return [_text(query, parameter, item) for item in _listed(query, parameter, given)]
        case "integer":
            return _integer(query, parameter, given)
        case "integers":
            budgets = {_integer(query, parameter, item) for item in _listed(query, parameter, given)}
            return sorted(budgets)
        case "integer list":  # in the order given, and as often
            return [_integer(query, parameter, item) for item in _listed(query, parameter, given)]
        case "numbers":
            return [_number(query, parameter, item) for item in _listed(query, parameter, given)]
        case "number":
            return _number(query, parameter, given)
        case choices:
            return _choice(query, parameter, given, choices.split("|"))


def _default(query: str, parameter: Parameter) -> Any:
    default = parameter.default
    if default is None or default.startswith("the ") or default == "none":
        return None
    return _TYPED[parameter.kind](query, parameter, default) if parameter.kind in _TYPED else default


def _listed(query: str, parameter: Parameter, given: Any) -> Sequence[Any]:
    items = given if isinstance(given, list | tuple | range | set | frozenset) else [given]
    if not items:
        raise BadParameter(f"Query {query}: {parameter.name} is empty; give at least one.")
    return list(items)


def _text(query: str, parameter: Parameter, given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise BadParameter(f"Query {query}: {parameter.name} must be a name, not {given!r}.")
    return given


def _integer(query: str, parameter: Parameter, given: Any) -> int:
    try:
        number = int(given)
        if isinstance(given, bool) or number != (given if not isinstance(given, str) else number):
            raise ValueError
    except (TypeError, ValueError):
        raise BadParameter(f"Query {query}: {parameter.name} must be a whole number, not {given!r}.") from None
    least = 1 if parameter.name in ("k", "attempts") else 0
    if not least <= number <= LARGEST_K:
        raise BadParameter(f"Query {query}: {parameter.name} = {number} is not between {least} and {LARGEST_K:,}.")
    return number


def _number(query: str, parameter: Parameter, given: Any) -> float:
    try:
        number = float(given)
        if isinstance(given, bool) or not math.isfinite(number):
            raise ValueError
    except (TypeError, ValueError):
        raise BadParameter(f"Query {query}: {parameter.name} must be a number, not {given!r}.") from None
    return number


_TYPED = {"integer": _integer, "number": _number}


def _choice(query: str, parameter: Parameter, given: Any, choices: list[str]) -> str:
    if given not in choices:
        raise BadParameter(f"Query {query}: {parameter.name} must be one of {', '.join(choices)}, not {given!r}.")
    return str(given)
