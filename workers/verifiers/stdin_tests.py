"""Programs with stdin/stdout tests: CodeContests, LiveCodeBench, and the same in our own keys."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from workers.errors import VerifierBroken
from workers.sandbox.limits import InputPlan, Limits, Report
from workers.verifiers.in_sandbox import InSandbox
from workers.verifiers.input_tests import functional_plan, functional_program
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason
from workers.verifiers.stdin_formats import ContestProblem, contest_problem

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+#-]*)[^\n]*$", re.MULTILINE)
_PYTHON = ("", "python", "python3", "py", "py3")
#: What `solutions` of CodeContests call Python 3, as a number and as a word.
_PYTHON3 = (3, "3", "PYTHON3", "python3", "python", "py")
_SHOWN = 300


class StdinTests(InSandbox):
    """Verifier `stdin-tests`: correct when every test ends with status 0 and an output that the checker accepts.

    `cpu_seconds` a test where the problem sets no limit, `time_factor` times the problem's where it does. Memory and
    output are bytes.
    """

    name = "stdin-tests"
    version = "1"
    expensive = True

    def __init__(
        self,
        cpu_seconds: float = Limits.cpu_seconds,
        wall_seconds: float | None = None,
        memory_bytes: int = 1 << 30,
        output_bytes: int = 8 << 20,
        tier: str | None = None,
        time_factor: float = 1.0,
        limit_factor: float | None = None,
    ) -> None:
        super().__init__(Limits(cpu_seconds, wall_seconds, memory_bytes, output_bytes), tier, limit_factor)
        self.time_factor = time_factor

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; identical programs run once. Raises VerifierBroken."""
        contest = contest_problem(problem)
        if not contest.stdin and not contest.functional:
            raise VerifierBroken(f"problem {problem.key} has no tests: stdin-tests needs `stdin_tests` in its metadata")
        limits = self._limits(problem, contest)
        programs = [contest_program(completion, contest.first_block) for completion in completions]
        wanted = [program for program in programs if program.strip()]
        reports = self._reports(wanted, limits, lambda some, held: self._run(problem, contest, some, held))
        judgements = {program: self._judgement(report, limits) for program, report in reports.items()}
        return [judgements.get(program) or Judgement(Outcome.INCORRECT, Reason.NO_ANSWER) for program in programs]

    def _limits(self, problem: Problem, contest: ContestProblem) -> Limits:
        seconds = self.limits.cpu_seconds if contest.time_limit is None else contest.time_limit * self.time_factor
        memory = max(self.limits.memory_bytes, contest.memory_bytes or 0)
        limits = replace(self.limits, cpu_seconds=seconds, memory_bytes=memory)
        return self._scaled(problem, limits, lambda wide: self._reference_time(problem, contest, wide))

    def _reference_time(self, problem: Problem, contest: ContestProblem, limits: Limits) -> float | None:
        """CPU seconds of the first reference solution that passes, on the test that took it longest."""
        for solution in contest_solutions(problem)[:3]:
            report = self._run(problem, contest, [solution], limits)[0]
            if report.outcome == Outcome.CORRECT:
                return float(report.detail.get("slowest_cpu_seconds", report.cpu_seconds))
        return None

    def _run(self, problem: Problem, contest: ContestProblem, programs: Sequence[str], limits: Limits) -> list[Report]:
        if not contest.stdin:
            plan = functional_plan(contest, problem.key)
            return self.sandbox.run(plan, [functional_program(one, contest.function or "") for one in programs], limits)
        tests = contest.stdin

        def accepts(at: int, output: bytes) -> Mapping[str, Any] | None:
            difference = contest.checker.difference(tests[at].output, output)
            if difference is None:
                return None
            return {"kind": tests[at].kind, "input": tests[at].input[:_SHOWN], **difference}

        return self.sandbox.run_inputs(InputPlan([test.input for test in tests], accepts), programs, limits)


def contest_program(completion: str, first: bool = False) -> str:
    """The last (or `first`) fenced block in Python (or in no named language), or else the whole text."""
    blocks = _fenced(completion)
    python = [text for language, text in blocks if language.casefold() in _PYTHON]
    if python:
        return python[0 if first else -1]
    return "" if blocks else completion


def contest_solutions(problem: Problem, key: str = "solutions") -> list[str]:
    """The problem's own solutions in Python 3, or with another `key` its wrong ones."""
    given = problem.metadata.get(key) or []
    if isinstance(given, Mapping):
        pairs = zip(given.get("language") or [], given.get("solution") or [], strict=False)
        return [str(text) for language, text in pairs if language in _PYTHON3]
    return [str(text) for text in given]


def _fenced(text: str) -> list[tuple[str, str]]:
    """(language, content) of each fenced block; one that is never closed ends with the text."""
    blocks: list[tuple[str, str]] = []
    opened: tuple[str, str, int] | None = None
    for mark in _FENCE.finditer(text):
        fence, language = mark[1], mark[2]
        if opened is None:
            opened = fence, language, mark.end() + 1
        elif fence.startswith(opened[0]) and not language:
            blocks.append((opened[1], text[opened[2] : mark.start()]))
            opened = None
    if opened is not None:
        blocks.append((opened[1], text[opened[2] :]))
    return blocks
