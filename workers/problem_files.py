"""One problem from a file: our own format, or a record as HumanEval, MBPP, CodeContests and others publish it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from store.errors import PassatkError
from workers.verifiers.protocol import GeneratedTest, Problem

_KEYS = ("id", "task_id", "key", "question_id", "name")
_PROMPTS = ("prompt", "question", "text", "description", "question_content")
_ANSWERS = ("answer", "reference_answer", "canonical_solution")
_TESTS = ("tests", "test")


def read_problem(path: Path) -> Problem:
    """The problem in a file. Raises PassatkError that says what is wrong with it."""
    try:
        record = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise PassatkError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise PassatkError(f"{path}: not JSON: {error}. The file must hold one JSON object, the problem.") from None
    if not isinstance(record, dict):
        raise PassatkError(f"{path}: one JSON object is wanted, found {type(record).__name__}.")
    return problem_of(record)


def problem_of(record: Mapping[str, Any]) -> Problem:
    """The problem that a record describes; what has no place of its own goes into the metadata under its name."""
    left = dict(record)
    key = _taken(left, _KEYS)
    prompt = _taken(left, _PROMPTS)
    reference = next((left[name] for name in _ANSWERS if isinstance(left.get(name), (str, int, float))), None)
    tests = _tests(left)
    generated = left.pop("generated_tests", None) if isinstance(left.get("generated_tests"), list) else None
    inner = left.get("metadata")
    if isinstance(inner, Mapping):
        left = {**{name: value for name, value in left.items() if name != "metadata"}, **inner}
    entry_point = left.pop("entry_point", None)
    return Problem(
        key="problem" if key is None else str(key),
        prompt="" if prompt is None else str(prompt),
        reference_answer=None if reference is None else str(reference),
        tests=tests,
        entry_point=str(entry_point) if entry_point else None,
        metadata=left,
        generated_tests=[_generated(number, test) for number, test in enumerate(generated or [])],
    )


def _taken(left: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first of these that is there, taken out."""
    for name in names:
        if isinstance(left.get(name), (str, int)):
            return left.pop(name)
    return None


def _tests(left: dict[str, Any]) -> str | None:
    """Tests as source; lists of assertions and of inputs with outputs go where the verifiers look for them."""
    for name in _TESTS:
        found = left.get(name)
        if isinstance(found, str):
            left.pop(name)
            return found or None
        if isinstance(found, list) and found:
            kind = "test_list" if all(isinstance(test, str) for test in found) else "stdin_tests"
            left.setdefault(kind, left.pop(name))
    return None


def _generated(number: int, test: Any) -> GeneratedTest:
    if isinstance(test, Mapping):
        code = test.get("code", test.get("input", ""))
        expected = test.get("expected", test.get("output"))
        return GeneratedTest(number, str(code), None if expected is None else str(expected))
    return GeneratedTest(number, str(test))
