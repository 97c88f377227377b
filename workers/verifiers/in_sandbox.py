"""What the verifiers that run programs share: the sandbox, limits, the second try of a wall-clock timeout, details."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from store.errors import PassatkError
from workers.environment import sandbox_environment
from workers.sandbox.limits import Limits, Report
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.tiers import open_sandbox
from workers.verifiers.protocol import Environment, Judgement, Outcome, Problem, Reason

#: Above this share of the machine's cores in the load average, a wall-clock timeout may be the machine's fault.
_BUSY = 0.75
_LONGEST_TEXT = 4096
#: A limit that follows the reference solution's own time is never below the first of these, nor above the second.
_LEAST_SECONDS, _MOST_SECONDS = 1.0, 120.0


class InSandbox:
    """Verifiers build on this: a sandbox of their own, probed and started at the first judgement.

    `limit_factor`: CPU limits are this many times the reference solution's own time, where it can be run. Raises
    SandboxUnavailable at the first judgement where no sandbox holds. Call from one thread.
    """

    def __init__(self, limits: Limits, tier: str | None, limit_factor: float | None) -> None:
        if limit_factor is not None and not limit_factor > 0:
            raise PassatkError(
                f"limit_factor {limit_factor:g} must be more than 0: a multiple of the reference's time."
            )
        self.limits = limits
        self.limit_factor = limit_factor
        self._tier = tier
        self._sandbox: Sandbox | None = None
        self._reference_seconds: dict[str, float | None] = {}

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox in use, opened on first use. Raises SandboxUnavailable."""
        if self._sandbox is None:
            self._sandbox = open_sandbox(self.limits, self._tier)
        return self._sandbox

    def environment(self) -> Environment:
        """The tier of the sandbox in use, and what runs in it."""
        return sandbox_environment(self.sandbox)

    def close(self) -> None:
        """End every process of the sandbox."""
        if self._sandbox is not None:
            self._sandbox.close()

    def _scaled(self, problem: Problem, limits: Limits, measure: Callable[[Limits], float | None]) -> Limits:
        """The limits with CPU time as a multiple of the reference's, which `measure` runs once for each problem."""
        if self.limit_factor is None:
            return limits
        key = f"{problem.key}\0{hash(problem.prompt)}"
        if key not in self._reference_seconds:
            self._reference_seconds[key] = measure(replace(limits, cpu_seconds=_MOST_SECONDS, wall_seconds=None))
        own = self._reference_seconds[key]
        if own is None:
            return limits
        seconds = min(max(self.limit_factor * own, _LEAST_SECONDS), _MOST_SECONDS)
        return replace(limits, cpu_seconds=seconds, wall_seconds=None)

    def _reports(
        self, programs: Sequence[str], limits: Limits, run: Callable[[Sequence[str], Limits], list[Report]]
    ) -> dict[str, Report]:
        """A report for each different program; a wall-clock timeout on a busy machine is tried again alone.

        It does not count before a second one, with twice the time.
        """
        distinct = list(dict.fromkeys(programs))
        reports = dict(zip(distinct, run(distinct, limits), strict=True)) if distinct else {}
        for program, report in reports.items():
            if report.reason == Reason.WALL_TIME and machine_is_busy():
                again = run([program], replace(limits, wall_seconds=2 * limits.wall))[0]
                reports[program] = replace(again, detail={**again.detail, "run_again_alone": True})
        return reports

    def _judgement(self, report: Report, limits: Limits) -> Judgement:
        detail: dict[str, Any] = {"sandbox": self.sandbox.tier, "integrity": report.integrity, **report.detail}
        detail |= {"wall_seconds": round(report.wall_seconds, 3), "limits": limits.as_detail()}
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


def machine_is_busy() -> bool:
    """Whether something else may have kept a program from its core."""
    return os.getloadavg()[0] > _BUSY * (os.cpu_count() or 1)
