"""The tests of one problem, run against functions that live in another process."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from types import CodeType
from typing import Any

from workers.sandbox.inside.session import Session

TESTS = "<tests>"
_LONGEST = 400


@dataclass(frozen=True)
class Request:
    """A batch: the tests of one problem, the programs to judge, and the limits."""

    prompt: str
    tests: str
    entry_point: str | None
    programs: list[str]
    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int
    output_bytes: int
    answer_bytes: int
    shared_process: bool = False
    collect: str | None = None
    last: bool = False


class Tests:
    """The tests of one problem, compiled once; their names are made anew for each program."""

    def __init__(self, request: Request) -> None:
        self.request = request
        tree = ast.parse(request.tests, TESTS)
        self.code = compile(tree, TESTS, "exec", dont_inherit=True)
        self._asserts = _assertions(tree)
        self.prompt_code = _prompt_code(request.prompt)
        given = {request.entry_point, *dir(builtins)}
        self.used = [name for name in _free_names(tree) if name not in given]
        self._described: dict[int, dict[str, str]] = {}
        if request.entry_point and "check" not in _defined_names(tree):
            raise NameError("the tests define no function `check`")

    def run(self, session: Session) -> dict[str, Any]:
        """Run all tests; whatever they raise passes through. Returns their globals."""
        names = self._names(session)
        exec(self.code, names)
        if self.request.entry_point:
            names["check"](names[self.request.entry_point])
        return names

    def _names(self, session: Session) -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": "tests"}
        if self.used and self.prompt_code is not None:
            try:
                exec(self.prompt_code, names)
            except Exception:
                names = {"__name__": "tests"}
        for name in self.used:
            if name not in names:
                names[name] = _remote(session, name)
        if self.request.entry_point:
            names[self.request.entry_point] = _remote(session, self.request.entry_point)
        return names

    def describe(self, line: int) -> dict[str, str]:
        """The test at this line of the tests and, where it compares, what it expects; {} outside the tests."""
        if line and line not in self._described:
            self._described[line] = self._describe(line)
        return dict(self._described.get(line, {}))

    def _describe(self, line: int) -> dict[str, str]:
        source, node = self.request.tests, self._asserts.get(line)
        whole = ast.get_source_segment(source, node) if node else source.splitlines()[line - 1]
        told = {"test": shorten((whole or "").strip(), _LONGEST)}
        if node and isinstance(node.test, ast.Compare) and len(node.test.comparators) == 1:
            told["expected"] = shorten(ast.get_source_segment(source, node.test.comparators[0]) or "", _LONGEST)
        return told


def _assertions(tree: ast.AST) -> dict[int, ast.Assert]:
    """line -> the assertion that covers it."""
    found: dict[int, ast.Assert] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            found.update(dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), node))
    return found


def _remote(session: Session, name: str) -> Any:
    def function(*arguments: Any, **keywords: Any) -> Any:
        return session.call(name, arguments, keywords)

    function.__name__ = function.__qualname__ = name
    return function


def _prompt_code(prompt: str) -> CodeType | None:
    """The prompt alone, where it is a program by itself (a docstring is body enough): its imports and functions."""
    for ending in ("\n", "\n    pass\n"):
        try:
            return compile(prompt + ending, "<prompt>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
    return None


def _free_names(tree: ast.AST) -> list[str]:
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return sorted(loaded - _defined_names(tree))


def _defined_names(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


def shorten(text: str, limit: int = 1000) -> str:
    """At most `limit` characters, marked where something was cut."""
    return text if len(text) <= limit else text[: limit - 4] + " ..."
