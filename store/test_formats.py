"""Readers of files of generated tests: what a model wrote after `assert`, or tests already taken apart."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from store.benchmark_formats import BadFile
from store.importers.sources import json_lines
from store.row_writing import storable_completion

_KEYS = ("task_id", "id", "key", "problem")
_NEXT_ASSERT = re.compile(r"^[ \t]*assert\b", re.MULTILINE)
#: What ends the stretch of assertions: the model went on to something else.
_END = re.compile(r"\n(?=class|def|#|if|print)")
_FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)
_LONGEST_TEST = 20_000


class WrittenTest(NamedTuple):
    """A test as it is stored: an assertion, or the input of a stdin test with the output it expects."""

    code: str
    expected: str | None = None


@dataclass(frozen=True)
class ProblemNames:
    """What a file may name a problem by."""

    problem_id: int
    key: str
    prompt: str
    entry_point: str | None


def read_tests(path: Path, problems: Sequence[ProblemNames], per_sample: int) -> dict[int, list[WrittenTest]]:
    """The different tests of each problem, in the order in which they first come. Raises BadFile.

    A line is `{"task_id", "samples": [text, ...]}` or, without a task_id, `{"prompt", "samples"}` (what a model wrote
    after a prompt that ends in `assert`), or `{"task_id", "tests": [assertion | {"input", "output"}, ...]}`.
    """
    by_key = {problem.key: problem for problem in problems}
    found: dict[int, dict[WrittenTest, None]] = {}
    for place, record in json_lines(path):
        problem = _problem(record, by_key, problems, place)
        tests = found.setdefault(problem.problem_id, {})
        tests.update(dict.fromkeys(_tests(record, problem, per_sample, place)))
    return {problem_id: list(tests) for problem_id, tests in found.items()}


def _problem(
    record: Mapping[str, Any], by_key: Mapping[str, ProblemNames], problems: Sequence[ProblemNames], place: str
) -> ProblemNames:
    for name in _KEYS:
        if name in record:
            key = str(record[name])
            if key not in by_key:
                raise BadFile(f'{place}: problem "{key}" is not in the benchmark.')
            return by_key[key]
    prompt = record.get("prompt")
    if not isinstance(prompt, str):
        raise BadFile(f'{place}: names no problem: field "task_id" or "prompt" is missing.')
    matching = [problem for problem in problems if prompt.startswith(problem.prompt.rstrip())]
    if not matching:
        raise BadFile(f"{place}: its prompt begins with no problem's prompt of the benchmark.")
    return max(matching, key=lambda problem: len(problem.prompt))


def _tests(record: Mapping[str, Any], problem: ProblemNames, per_sample: int, place: str) -> Iterator[WrittenTest]:
    if isinstance(record.get("tests"), list):
        for test in record["tests"]:
            yield _ready(test, place)
        return
    samples = record.get("samples")
    if not isinstance(samples, list) or not all(isinstance(sample, str) for sample in samples):
        raise BadFile(f'{place}: field "samples" must be a list of texts, or "tests" a list of tests.')
    for sample in samples:
        found = [WrittenTest(code) for code in assertions(sample, problem.entry_point)]
        yield from found[: per_sample or None]


def _ready(test: Any, place: str) -> WrittenTest:
    if isinstance(test, str) and test.strip():
        return WrittenTest(storable_completion(test.strip()))
    if isinstance(test, Mapping):
        code, expected = test.get("input", test.get("code")), test.get("output", test.get("expected"))
        if isinstance(code, str) and (expected is None or isinstance(expected, str)):
            return WrittenTest(storable_completion(code), None if expected is None else storable_completion(expected))
    raise BadFile(f'{place}: a test must be text that is not empty, or {{"input": text, "output": text}}.')


def assertions(written: str, entry_point: str | None) -> list[str]:
    """The assertions about `entry_point` in what a model wrote after `assert`, in one spelling, each once."""
    found: dict[str, None] = {}
    text = _END.split(written, maxsplit=1)[0]
    for piece in _NEXT_ASSERT.split("assert " + text):
        code = _assertion(piece, entry_point) or _assertion(piece.strip().partition("\n")[0], entry_point)
        if code is not None:
            found[code] = None
    return list(found)


def _assertion(condition: str, entry_point: str | None) -> str | None:
    if not condition.strip() or len(condition) > _LONGEST_TEST or "\0" in condition:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse("assert " + condition.strip()).body
            if len(body) != 1 or not isinstance(body[0], ast.Assert) or not _calls(body[0].test, entry_point):
                return None
            code = ast.unparse(body[0])
            ast.parse(code)
    except _FAULTS:
        return None
    return storable_completion(code)


def _calls(condition: ast.expr, entry_point: str | None) -> bool:
    called = [
        node.func.id for node in ast.walk(condition) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    return bool(called) if entry_point is None else entry_point in called
