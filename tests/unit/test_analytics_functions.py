"""The typed functions of store.analytics are the catalogue's queries, parameter for parameter."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import store.analytics as pa
from store.analytics.concepts import catalogue, concept
from store.analytics.parameters import checked


class Recorder:
    """Stands where a snapshot would: remembers what is asked of it."""

    def query(self, name: str, **parameters: Any) -> tuple[str, dict[str, Any]]:
        return name, parameters


@pytest.mark.parametrize("name", sorted(set(catalogue()) & set(pa.__all__)))
def test_every_query_has_its_function(name: str) -> None:
    function = getattr(pa, name)
    entry = concept(name)
    signature = inspect.signature(function)
    assert next(iter(signature.parameters)) == "snapshot"
    assert set(list(signature.parameters)[1:]) == {one.name for one in entry.parameters}
    for one in entry.parameters:
        parameter = signature.parameters[one.name]
        assert (parameter.default is inspect.Parameter.empty) == one.required, one.name
        assert one.required or parameter.kind is inspect.Parameter.KEYWORD_ONLY
    assert entry.question in " ".join((function.__doc__ or "").split())


@pytest.mark.parametrize("name", sorted(set(catalogue()) & set(pa.__all__)))
def test_a_function_s_defaults_are_the_catalogue_s(name: str) -> None:
    entry = concept(name)
    known = {"run": "a", "problem": "p", "sample_index": 0, "target": 0.5, "usd": [1.0], "proxy": "p", "verifier": "v"}
    known |= {"false_positive_rate": 0.1, "parameters": 1.0, "layers": 1, "width": 1}
    given = {one.name: known[one.name] for one in entry.parameters if one.required}
    asked, parameters = getattr(pa, name)(Recorder(), **given)
    assert asked == name
    assert checked(entry, parameters) == checked(entry, given)


def test_everything_listed_is_there() -> None:
    for name in pa.__all__:
        assert getattr(pa, name) is not None
