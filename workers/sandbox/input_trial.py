"""The worker's side of whole programs on inputs: where they are, and what came out so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.sandbox.inside.replies import GO_ON, NEXT_PROGRAM
from workers.sandbox.limits import InputPlan, Report

#: A program that goes on after failures is held to fail the inputs that are left once it ran out of time so often.
_MOST_TIMEOUTS = 5


class InputTrial:
    """Programs run on the inputs of a plan, one after the other, each until its first failure."""

    def __init__(self, plan: InputPlan, programs: Sequence[str]) -> None:
        self._plan = plan
        self._programs = programs
        self.reports: list[Report] = []
        self._begin()

    def _begin(self) -> None:
        self.at = 0
        self._cpu = self._wall = self._slowest = 0.0
        self.losses = 0
        self._outcomes: list[str | None] = []
        self._failure: tuple[str, dict[str, Any]] | None = None

    @property
    def done(self) -> bool:
        """Whether every program has its report."""
        return len(self.reports) == len(self._programs)

    @property
    def rest(self) -> Sequence[str]:
        """The programs that have none yet; the first of them goes on at input `at`."""
        return self._programs[len(self.reports) :]

    def take(self, told: Mapping[str, Any], output: bytes) -> int:
        """Weigh one run; what to answer the judging process."""
        self.losses = 0
        self._cpu += told["cpu_seconds"]
        self._wall += told["wall_seconds"]
        self._slowest = max(self._slowest, told["cpu_seconds"])
        reason, detail = told["reason"], dict(told["detail"])
        if reason is None:
            difference = self._plan.accepts(self.at, output)
            if difference is not None:
                reason, detail = "wrong_answer", detail | dict(difference)
        self._outcomes.append(reason)
        if reason is not None and self._failure is None:
            self._failure = reason, {"failed_test": self.at, **detail}
        self.at += 1
        if self.at < len(self._plan.inputs) and (reason is None or self._goes_on(reason)):
            return GO_ON
        self._conclude()
        return NEXT_PROGRAM

    def _goes_on(self, reason: str) -> bool:
        """Whether the inputs that are left are worth a run. A program that is none fails them all."""
        if not self._plan.go_on:
            return False
        ended = sum(reason in ("cpu_time", "wall_time") for reason in self._outcomes)
        return reason != "compile_error" and ended < _MOST_TIMEOUTS

    def _conclude(self) -> None:
        passed = sum(reason is None for reason in self._outcomes)
        detail: dict[str, Any] = {"tests_passed": passed}
        if self._plan.go_on:
            missing = len(self._plan.inputs) - len(self._outcomes)
            detail["outcomes"] = self._outcomes + [self._outcomes[-1]] * missing
        if self._failure is None:
            self._close("correct", None, detail)
        else:
            self._close("incorrect", self._failure[0], detail | self._failure[1])

    def give_up(self, why: str) -> None:
        """The program in work cannot be judged here."""
        detail = {"error": f"the sandbox was lost twice while judging this program: {why}"}
        self._close("undecided", "verifier_error", detail)

    def _close(self, outcome: str, reason: str | None, detail: dict[str, Any]) -> None:
        detail["slowest_cpu_seconds"] = round(self._slowest, 4)
        self.reports.append(Report(outcome, reason, self._cpu, self._wall, "strong", detail))
        self._begin()
