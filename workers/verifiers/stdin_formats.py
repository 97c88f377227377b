"""The inputs, outputs and limits of programming-contest problems, from the shapes they are published in.

docs/verifiers/programs.md names the keys: our own, those of CodeContests, those of LiveCodeBench.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workers.errors import VerifierBroken
from workers.sandbox.inside.plain_data import NotPlain, decode
from workers.verifiers.output_check import Checker
from workers.verifiers.protocol import Problem

_CONTESTS = ("public_tests", "private_tests", "generated_tests")
_LIVE = ("public_test_cases", "private_test_cases")
#: Unpacked, a problem's private tests are at most so many bytes.
_LARGEST_PACK = 1 << 30
#: CodeContests' time limits were set for compiled programs; Python gets so many times as much.
CONTEST_TIME_FACTOR = 5.0


@dataclass(frozen=True)
class ContestTest:
    """One input and the output that belongs to it; of a function: JSON arguments, one a line, and the JSON result."""

    input: str
    output: str
    kind: str = ""


@dataclass(frozen=True)
class ContestProblem:
    """What is run and compared. Seconds are CPU seconds a test; None where the problem sets no limit.

    `first_block`: whether the program is a completion's first fenced block rather than its last.
    """

    stdin: list[ContestTest]
    functional: list[ContestTest]
    function: str | None
    checker: Checker
    time_limit: float | None
    memory_bytes: int | None
    first_block: bool = False


def contest_problem(problem: Problem) -> ContestProblem:
    """The problem's tests, checker and limits. Raises VerifierBroken where they cannot be read."""
    data = problem.metadata
    try:
        stdin = list(_tests(data.get("stdin_tests") or []))
        functional = list(_tests(data.get("functional_tests") or []))
        for kind in _CONTESTS:
            stdin += _columns(data.get(kind) or {}, kind.removesuffix("_tests"))
        for kind in _LIVE:
            for test, is_function in _live_cases(data.get(kind), kind.split("_", 1)[0]):
                (functional if is_function else stdin).append(test)
        return ContestProblem(
            stdin, functional, _function(data), _checker(data), _seconds(data.get("time_limit")), _bytes(data),
            _first_block(data),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, NotPlain, zlib.error) as error:
        raise VerifierBroken(
            f"the tests of problem {problem.key} cannot be read: {type(error).__name__} {error}"
        ) from None


def _tests(listed: Any) -> Iterator[ContestTest]:
    for test in listed:
        yield ContestTest(str(test["input"]), str(test["output"]), str(test.get("kind") or ""))


def _columns(table: Mapping[str, Any], kind: str) -> list[ContestTest]:
    pairs = zip(table.get("input") or [], table.get("output") or [], strict=True)
    return [ContestTest(str(given), str(wanted), kind) for given, wanted in pairs]


def _live_cases(packed: Any, kind: str) -> Iterator[tuple[ContestTest, bool]]:
    for case in _unpacked(packed) if isinstance(packed, str) else packed or []:
        test = ContestTest(str(case["input"]), str(case["output"]), kind)
        yield test, case.get("testtype") == "functional"


def _unpacked(text: str) -> Any:
    """JSON text, or JSON text pickled, deflated and in base64; the pickle is read as plain data only."""
    if text.lstrip().startswith("["):
        return json.loads(text)
    inflater = zlib.decompressobj()
    raw = inflater.decompress(base64.b64decode(text), _LARGEST_PACK)
    if inflater.unconsumed_tail:
        raise ValueError("the packed tests are too large")
    found = decode(raw)
    return json.loads(found) if isinstance(found, str) else found


def _function(data: Mapping[str, Any]) -> str | None:
    inner = data.get("metadata")
    inner = json.loads(inner) if isinstance(inner, str) and inner.strip() else inner
    name = data.get("func_name") or (inner.get("func_name") if isinstance(inner, Mapping) else None)
    return str(name) if name else None


def _checker(data: Mapping[str, Any]) -> Checker:
    if data.get("checker") is not None:
        return Checker.of(data["checker"])
    if any(data.get(kind) for kind in _CONTESTS):
        return Checker(ignore_case=True)
    return Checker(kind="lines") if any(data.get(kind) for kind in _LIVE) else Checker()


def _first_block(data: Mapping[str, Any]) -> bool:
    """As the paper reads answers to CodeContests; LiveCodeBench takes the last block."""
    named = data.get("program_block")
    return named == "first" or (named is None and any(data.get(kind) for kind in _CONTESTS))


def _seconds(limit: Any) -> float | None:
    """A plain number counts as it is; the published shape of CodeContests is for compiled programs."""
    if isinstance(limit, Mapping):
        seconds = float(limit.get("seconds") or 0) + float(limit.get("nanos") or 0) / 1e9
        return CONTEST_TIME_FACTOR * seconds if seconds > 0 else None
    return float(limit) if limit else None


def _bytes(data: Mapping[str, Any]) -> int | None:
    limit = data.get("memory_limit_bytes")
    return int(limit) if limit else None
