"""Candidates against tests that a model wrote: every outcome is stored, so that selection by agreement is a query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from store.errors import PassatkError
from workers.sandbox.limits import InputPlan, Limits, MatrixPlan, Report
from workers.verifiers.in_sandbox import InSandbox
from workers.verifiers.output_check import Checker
from workers.verifiers.programs import program_of, reference_of
from workers.verifiers.protocol import GeneratedTest, Judgement, Outcome, OutcomeOfTest, Problem, Reason
from workers.verifiers.stdin_tests import contest_program

_DEFINED = re.compile(r"^def[ \t]+(\w+)", re.MULTILINE)


class GeneratedTests(InSandbox):
    """Verifier `generated-tests`: one outcome a test of `suite` (`*`: of all suites); limits are for each test.

    `score` is the share of tests that pass; the outcome is correct where all do.
    """

    name = "generated-tests"
    version = "1"
    expensive = True

    def __init__(
        self,
        suite: str = "*",
        cpu_seconds: float = 0.5,
        wall_seconds: float | None = None,
        memory_bytes: int = Limits.memory_bytes,
        output_bytes: int = Limits.output_bytes,
        tier: str | None = None,
    ) -> None:
        if not isinstance(suite, str) or not suite:
            raise PassatkError('option suite names the tests to run: "*" for all, or a name of `passatk tests list`')
        super().__init__(Limits(cpu_seconds, wall_seconds, memory_bytes, output_bytes), tier, None)
        self.suite = suite

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; undecided where the problem has no test. Raises VerifierBroken."""
        tests = problem.generated_tests
        if not tests:
            told = {"error": f"problem {problem.key} has no generated tests in suite {self.suite}"}
            return [Judgement(Outcome.UNDECIDED, Reason.VERIFIER_ERROR, detail=told) for _ in completions]
        stdin = tests[0].expected is not None
        programs = [contest_program(text) if stdin else program_of(problem, text) for text in completions]
        wanted = [program for program in dict.fromkeys(programs) if program.strip()]
        run = self._on_inputs if stdin else self._matrix
        reports = dict(zip(wanted, run(problem, tests, wanted), strict=True)) if wanted else {}
        return [self._judged(tests, reports.get(program)) for program in programs]

    def _matrix(self, problem: Problem, tests: Sequence[GeneratedTest], programs: Sequence[str]) -> list[Report]:
        plan = MatrixPlan([test.code for test in tests], _entry_point(problem))
        return self.sandbox.run(plan, programs, self.limits)

    def _on_inputs(self, problem: Problem, tests: Sequence[GeneratedTest], programs: Sequence[str]) -> list[Report]:
        checker = Checker.of(problem.metadata.get("checker"))

        def accepts(at: int, output: bytes) -> Mapping[str, Any] | None:
            return checker.difference(tests[at].expected or "", output)

        plan = InputPlan([test.code for test in tests], accepts, go_on=True)
        return self.sandbox.run_inputs(plan, programs, self.limits)

    def _judged(self, tests: Sequence[GeneratedTest], report: Report | None) -> Judgement:
        if report is None:
            outcomes: list[str | None] = [Reason.NO_ANSWER] * len(tests)
            report = Report("incorrect", Reason.NO_ANSWER, 0.0, 0.0, "strong", {})
        elif report.outcome == Outcome.UNDECIDED:
            outcomes = [Reason.VERIFIER_ERROR] * len(tests)
        else:
            outcomes = list(report.detail["outcomes"])
        passed = sum(reason is None for reason in outcomes)
        told = {name: value for name, value in report.detail.items() if name != "outcomes"}
        judgement = self._judgement(
            replace(report, detail={"passed": passed, "tests": len(tests), **told}), self.limits
        )
        pairs = zip(tests, outcomes, strict=True)
        return replace(
            judgement,
            score=None if report.outcome == Outcome.UNDECIDED else passed / len(tests),
            tests=[_outcome(test.test_id, reason) for test, reason in pairs],
        )


def _outcome(test_id: int, reason: str | None) -> OutcomeOfTest:
    if reason is None:
        return OutcomeOfTest(test_id, Outcome.CORRECT)
    broken = reason == Reason.VERIFIER_ERROR
    return OutcomeOfTest(test_id, Outcome.UNDECIDED if broken else Outcome.INCORRECT, Reason(reason))


def _entry_point(problem: Problem) -> str:
    """The function under test: the problem's, or else the last that its reference solution defines."""
    if problem.entry_point:
        return problem.entry_point
    defined = _DEFINED.findall(reference_of(problem) or "")
    return defined[-1] if defined else ""
