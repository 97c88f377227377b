"""Unit tests of Python functions in the process sandbox: HumanEval, HumanEval+, MBPP, MBPP+ and EvalPlus' inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workers.errors import VerifierBroken
from workers.sandbox.limits import Limits, Report, TestPlan
from workers.verifiers.in_sandbox import InSandbox
from workers.verifiers.input_tests import as_evalplus_asks, collected, collecting_plan, comparing_plan, evalplus_inputs
from workers.verifiers.programs import plan_of, program_of, reference_of
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason

#: Problems whose reference values are remembered: they are worked off one after the other.
_REMEMBERED = 8


class UnitTests(InSandbox):
    """Verifier `unit-tests`: correct when every test of the problem passes within the limits.

    The sandbox is probed and started at the first judgement, in the process that judges. Raises SandboxUnavailable
    there where no sandbox holds. Call from one thread.
    """

    name = "unit-tests"
    version = "3"
    expensive = True

    def __init__(
        self,
        cpu_seconds: float = Limits.cpu_seconds,
        wall_seconds: float | None = None,
        memory_bytes: int = Limits.memory_bytes,
        output_bytes: int = Limits.output_bytes,
        tier: str | None = None,
        limit_factor: float | None = None,
    ) -> None:
        super().__init__(Limits(cpu_seconds, wall_seconds, memory_bytes, output_bytes), tier, limit_factor)
        self._plans: dict[str, TestPlan] = {}

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; identical programs run once. Raises VerifierBroken."""
        plan = self._plan(problem)
        limits = self._limits(problem, plan)
        programs = [self._program(problem, completion) for completion in completions]
        wanted = [program for program in programs if program.strip()]
        reports = self._reports(wanted, limits, lambda some, held: self.sandbox.run(plan, some, held))
        if any(report.detail.get("opaque_result") for report in reports.values()) and self._must_share(problem, plan):
            beside = replace(plan, shared_process=True)
            reports = self._reports(wanted, limits, lambda some, held: self.sandbox.run(beside, some, held))
        judgements = {program: self._judgement(report, limits) for program, report in reports.items()}
        return [judgements.get(program) or Judgement(Outcome.INCORRECT, Reason.NO_ANSWER) for program in programs]

    @staticmethod
    def _program(problem: Problem, completion: str) -> str:
        program = program_of(problem, completion)
        return as_evalplus_asks(problem, program) if program.strip() else program

    def _limits(self, problem: Problem, plan: TestPlan) -> Limits:
        limit = problem.metadata.get("time_limit")
        limits = replace(self.limits, cpu_seconds=float(limit)) if isinstance(limit, (int, float)) else self.limits
        return self._scaled(problem, limits, lambda wide: self._reference_time(problem, plan, wide))

    def _reference_time(self, problem: Problem, plan: TestPlan, limits: Limits) -> float | None:
        report = self._run_reference(problem, plan, limits)
        return report.cpu_seconds if report is not None and report.outcome == Outcome.CORRECT else None

    def _run_reference(self, problem: Problem, plan: TestPlan, limits: Limits | None = None) -> Report | None:
        reference = reference_of(problem)
        if reference is None:
            return None
        return self.sandbox.run(plan, [self._program(problem, reference)], limits)[0]

    def _plan(self, problem: Problem) -> TestPlan:
        """The problem's tests; where they are inputs alone, the reference's values on them, taken once."""
        inputs = evalplus_inputs(problem)
        if inputs is None or not problem.entry_point:
            return plan_of(problem)
        key = f"{problem.key}\0{hash((str(inputs), problem.entry_point, reference_of(problem)))}"
        if key not in self._plans:
            while len(self._plans) >= _REMEMBERED:
                self._plans.pop(next(iter(self._plans)))
            self._plans[key] = self._plan_of_inputs(problem, inputs)
        return self._plans[key]

    def _plan_of_inputs(self, problem: Problem, inputs: list[list[object]]) -> TestPlan:
        wide = replace(self.limits, cpu_seconds=10 * self.limits.cpu_seconds, wall_seconds=None)
        report = self._run_reference(problem, collecting_plan(inputs, problem.entry_point or ""), wide)
        if report is None or report.outcome != Outcome.CORRECT:
            why = "it has none" if report is None else f"{report.reason} {dict(report.detail)}"
            raise VerifierBroken(f"problem {problem.key} needs its reference solution's values: {why}"[:500])
        return comparing_plan(problem, inputs, collected(report.detail))

    def _must_share(self, problem: Problem, plan: TestPlan) -> bool:
        """Whether the problem's own reference solution passes only beside its tests: no candidate decides that."""
        if plan.shared_process:
            return False
        apart = self._run_reference(problem, plan)
        beside = self._run_reference(problem, replace(plan, shared_process=True))
        if apart is None or beside is None:
            return False
        return apart.outcome != Outcome.CORRECT and beside.outcome == Outcome.CORRECT
