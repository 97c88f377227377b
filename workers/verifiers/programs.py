"""From a problem and a completion to a program and its tests: the formats of HumanEval and of MBPP."""

from __future__ import annotations

import re

from workers.errors import VerifierBroken
from workers.sandbox.limits import TestPlan
from workers.verifiers.protocol import Problem

_FENCE = re.compile(
    r"```[ \t]*(?:python3?|py)?[ \t]*\r?\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE | re.IGNORECASE
)


def plan_of(problem: Problem) -> TestPlan:
    """The problem's tests: its `tests` with `check(entry_point)`, or MBPP's `test_list` of assertions.

    Raises VerifierBroken where the problem carries neither.
    """
    shared = bool(problem.metadata.get("shared_process", False))
    if problem.tests:
        prompt = problem.prompt if _is_code(problem) else ""
        return TestPlan(problem.tests, problem.entry_point, prompt, shared)
    assertions = problem.metadata.get("test_list")
    if isinstance(assertions, (list, tuple)) and assertions:
        more = problem.metadata.get("challenge_test_list") or []
        setup = problem.metadata.get("test_setup_code") or "\n".join(problem.metadata.get("test_imports") or [])
        return TestPlan("\n".join([str(setup), *map(str, assertions), *map(str, more)]), None, "", shared)
    raise VerifierBroken(f"problem {problem.key} has no tests: unit-tests needs `tests` or a `test_list` of assertions")


def program_of(problem: Problem, completion: str) -> str:
    """What is run for a completion.

    A completion continues the prompt; one that carries the function in a fenced block, or that is a whole program with
    it, replaces it, keeping what the prompt says before the function (imports, functions it builds on).
    """
    block = _block_with_function(problem, completion)
    if block is None and problem.entry_point and _stands_alone(problem, completion):
        block = completion
    if not _is_code(problem):
        return completion if block is None else block
    if block is None:
        return problem.prompt + completion
    return _before_function(problem) + "\n" + block


def reference_of(problem: Problem) -> str | None:
    """The reference solution as a completion would be: HumanEval's continuation, MBPP's `code`; None without one."""
    for name in ("canonical_solution", "code"):
        found = problem.metadata.get(name)
        if isinstance(found, str) and found.strip():
            return found
    return problem.reference_answer


def _is_code(problem: Problem) -> bool:
    """Whether the prompt is the beginning of a program (HumanEval) rather than a task in words (MBPP)."""
    return bool(problem.entry_point) and _definition(problem).search(problem.prompt) is not None


def _definition(problem: Problem) -> re.Pattern[str]:
    return re.compile(rf"^(?:async[ \t]+)?(?:def|class)[ \t]+{re.escape(problem.entry_point or '')}\b", re.MULTILINE)


def _stands_alone(problem: Problem, completion: str) -> bool:
    """Whether it begins unindented, as no continuation of a function's body does, and defines the function itself."""
    first = completion.lstrip("\r\n")[:1]
    return bool(first) and not first.isspace() and _definition(problem).search(completion) is not None


def _before_function(problem: Problem) -> str:
    matches = list(_definition(problem).finditer(problem.prompt))
    return problem.prompt[: matches[-1].start()] if matches else ""


def _block_with_function(problem: Problem, completion: str) -> str | None:
    """The first fenced block that defines the entry point; without an entry point, the first block."""
    blocks: list[str] = _FENCE.findall(completion)
    if not problem.entry_point:
        return blocks[0] if blocks else None
    return next((block for block in blocks if _definition(problem).search(block)), None)
