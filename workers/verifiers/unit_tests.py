"""Unit tests of Python programs in the process sandbox."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from workers.environment import sandbox_environment
from workers.sandbox.limits import Limits, Report, TestPlan
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.tiers import open_sandbox
from workers.verifiers.programs import plan_of, program_of
from workers.verifiers.protocol import Environment, Judgement, Outcome, Problem, Reason

#: Above this share of the machine's cores in the load average, a wall-clock timeout may be the machine's fault.
_BUSY = 0.75
_LONGEST_TEXT = 4096


class UnitTests:
    """Verifier `unit-tests`: correct when every test of the problem passes within the limits.

    The sandbox is probed and started at the first judgement, in the process that judges. Raises SandboxUnavailable
    there where no sandbox holds. Call from one thread.
    """

    name = "unit-tests"
    version = "1"
    expensive = True

    def __init__(
        self,
        cpu_seconds: float = Limits.cpu_seconds,
        wall_seconds: float | None = None,
        memory_bytes: int = Limits.memory_bytes,
        output_bytes: int = Limits.output_bytes,
        tier: str | None = None,
    ) -> None:
        self.limits = Limits(cpu_seconds, wall_seconds, memory_bytes, output_bytes)
        self._tier = tier
        self._sandbox: Sandbox | None = None

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox in use, opened on first use. Raises SandboxUnavailable."""
        if self._sandbox is None:
            self._sandbox = open_sandbox(self.limits, self._tier)
        return self._sandbox

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]:
        """One judgement a completion, in order; identical programs run once. Raises VerifierBroken."""
        plan = plan_of(problem)
        programs = [program_of(problem, completion) for completion in completions]
        distinct = list(dict.fromkeys(programs))
        reports = dict(zip(distinct, self.sandbox.run(plan, distinct), strict=True))
        if any(report.detail.get("opaque_result") for report in reports.values()) and self._must_share(problem, plan):
            plan = replace(plan, shared_process=True)
            reports = dict(zip(distinct, self.sandbox.run(plan, distinct), strict=True))
        for program, report in reports.items():
            if report.reason == Reason.WALL_TIME and _machine_is_busy():
                reports[program] = self._again_alone(plan, program)
        judgements = {program: self._judgement(report) for program, report in reports.items()}
        return [judgements[program] for program in programs]

    def environment(self) -> Environment:
        """The tier of the sandbox in use, and what runs in it."""
        return sandbox_environment(self.sandbox)

    def close(self) -> None:
        """End every process of the sandbox."""
        if self._sandbox is not None:
            self._sandbox.close()

    def _must_share(self, problem: Problem, plan: TestPlan) -> bool:
        """Whether the problem's own reference solution passes only beside its tests: no candidate decides that."""
        reference = problem.metadata.get("canonical_solution", problem.reference_answer)
        if plan.shared_process or not isinstance(reference, str):
            return False
        program = program_of(problem, reference)
        apart, beside = (
            self.sandbox.run(replace(plan, shared_process=shared), [program])[0] for shared in (False, True)
        )
        return apart.outcome != Outcome.CORRECT and beside.outcome == Outcome.CORRECT

    def _again_alone(self, plan: TestPlan, program: str) -> Report:
        """A wall-clock timeout on a busy machine does not count before a second one, with twice the time."""
        return self.sandbox.run_alone(plan, program, 2 * self.limits.wall)

    def _judgement(self, report: Report) -> Judgement:
        detail: dict[str, Any] = {"sandbox": self.sandbox.tier, "integrity": report.integrity}
        if report.outcome != Outcome.CORRECT:
            detail |= dict(report.detail)
            detail |= {"wall_seconds": round(report.wall_seconds, 3), "limits": self.limits.as_detail()}
        return Judgement(
            Outcome(report.outcome),
            None if report.reason is None else Reason(report.reason),
            seconds=report.cpu_seconds,
            detail=clean(detail),
            weak=report.integrity == "weak",
        )


def clean(value: Any) -> Any:
    """The same detail, fit for a database: no NUL, no lone surrogates, texts of bounded length."""
    if isinstance(value, str):
        text = value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
        return text if len(text) <= _LONGEST_TEXT else "... " + text[4 - _LONGEST_TEXT :]
    if isinstance(value, Mapping):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return value


def _machine_is_busy() -> bool:
    return os.getloadavg()[0] > _BUSY * (os.cpu_count() or 1)
