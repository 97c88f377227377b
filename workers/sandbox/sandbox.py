"""The sandbox as the worker sees it: hand it a batch of programs and the tests, get a report for each."""

from __future__ import annotations

import json
import os
import select
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from workers.errors import VerifierBroken
from workers.sandbox.input_trial import InputTrial
from workers.sandbox.inside import frames, replies
from workers.sandbox.inside import zygote as protocol
from workers.sandbox.launch import LaunchFailed, Walls, Zygote, launch
from workers.sandbox.limits import InputPlan, Limits, MatrixPlan, Report, TestPlan

#: Programs judged from one batch root before it is replaced.
LARGEST_BATCH = 64
_REPORT_LIMIT = 128 << 20
_SLACK_SECONDS = 15.0


class _ZygoteLost(Exception):
    """The zygote or a batch's trusted processes died or hung."""


class Sandbox:
    """One zygote behind the given walls, restarted when it dies. Use it from one thread at a time."""

    def __init__(self, walls: Walls, limits: Limits) -> None:
        self.walls = walls
        self.limits = limits
        #: Name -> version of the installed packages that programs can import.
        self.packages: dict[str, str] = {}
        self._zygote: Zygote | None = None
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._spent = 0.0

    @property
    def tier(self) -> str:
        """The name of the tier of walls around the programs."""
        return self.walls.tier

    @property
    def pid(self) -> int | None:
        """The process id of the running zygote (of its container in tier `bwrap`); None before the first run."""
        return None if self._zygote is None else self._zygote.process.pid

    def cpu_seconds(self) -> float:
        """CPU seconds spent so far by the zygotes and everything that ran below them; ends the current batch."""
        with self._lock:
            zygote = self._zygote
            if zygote is not None and zygote.batch_open and self._owner == os.getpid():
                self._send(zygote, self._request(TestPlan(""), [], self.limits) | {"last": True})
                self._collect(zygote, [], self.limits.wall)
        return self._spent + (self._zygote.cpu_seconds if self._zygote is not None else 0.0)

    def run(self, plan: TestPlan | MatrixPlan, programs: Sequence[str], limits: Limits | None = None) -> list[Report]:
        """One report a program, in order. Raises VerifierBroken where the tests do not run or no zygote will live.

        `limits` replaces the sandbox's own for this call.
        """
        with self._lock:
            reports: list[Report] = []
            while len(reports) < len(programs):
                rest = programs[len(reports) : len(reports) + LARGEST_BATCH]
                reports += self._run_stubbornly(plan, rest, limits or self.limits)
            return reports

    def run_inputs(self, plan: InputPlan, programs: Sequence[str], limits: Limits | None = None) -> list[Report]:
        """Run whole programs on the plan's inputs, each until its first failure; one report a program, in order.

        Raises VerifierBroken where no zygote will live.
        """
        with self._lock:
            trial = InputTrial(plan, programs)
            while not trial.done:
                try:
                    self._run_trial(trial, plan, limits or self.limits)
                except _ZygoteLost as lost:
                    self.close()
                    trial.losses += 1
                    if trial.losses > 1:
                        self._check_alive(str(lost))
                        trial.give_up(str(lost))
            return trial.reports

    def close(self) -> None:
        """End every process of the sandbox. The sandbox starts again when it is used again."""
        if self._zygote is not None and self._owner == os.getpid():
            self._spent += self._zygote.cpu_seconds
            self._zygote.kill()
        self._zygote = None

    def _run_stubbornly(self, plan: TestPlan | MatrixPlan, programs: Sequence[str], limits: Limits) -> list[Report]:
        """At least one report: a lost zygote is replaced once; a program that loses two in a row is left undecided."""
        for attempt in range(2):
            done: list[Report] = []
            try:
                self._run_batch(plan, programs, limits, done)
                return done
            except _ZygoteLost as lost:
                self.close()
                if done:
                    return done
                programs, why = programs[:1], str(lost)
                if attempt:
                    self._check_alive(why)
        detail = {"error": f"the sandbox was lost twice while judging this program: {why}"}
        return [Report("undecided", "verifier_error", 0.0, 0.0, "strong", detail)]

    def _check_alive(self, why: str) -> None:
        """Raise VerifierBroken unless a harmless program still gets its verdict: then the program is to blame."""
        control: list[Report] = []
        try:
            self._run_batch(TestPlan("assert f(2) == 4"), ["def f(x):\n    return x + x\n"], self.limits, control)
        except _ZygoteLost as lost:
            raise VerifierBroken(f"the {self.tier} sandbox does not stay alive: {why}; then {lost}") from None
        if control[0].outcome != "correct":
            raise VerifierBroken(f"the {self.tier} sandbox fails a harmless program: {control[0].detail}")

    def _run_batch(
        self, plan: TestPlan | MatrixPlan, programs: Sequence[str], limits: Limits, done: list[Report]
    ) -> None:
        with self._speaking() as zygote:
            self._send(zygote, self._request(plan, programs, limits))
            longest = limits.wall * (1 if isinstance(plan, TestPlan) else len(plan.tests))
            self._collect(zygote, done, longest)

    def _run_trial(self, trial: InputTrial, plan: InputPlan, limits: Limits) -> None:
        with self._speaking() as zygote:
            request = {"inputs": list(plan.inputs), "programs": list(trial.rest), "first": trial.at}
            self._send(zygote, request | _held_to(limits))
            self._direct(zygote, trial, limits.wall)

    @contextmanager
    def _speaking(self) -> Iterator[Zygote]:
        """A running zygote; what goes wrong while speaking with it is a loss of it."""
        zygote = self._started()
        try:
            yield zygote
        except (OSError, EOFError, frames.FrameTooLong) as error:
            said = (f"{type(error).__name__} {error}".strip(), zygote.fate())
            raise _ZygoteLost(", ".join(word for word in said if word)) from None
        except VerifierBroken:
            raise
        except BaseException:
            # Interrupted in the middle: what still comes would be taken for the next batch's reports.
            self.close()
            raise

    def _send(self, zygote: Zygote, request: dict[str, Any]) -> None:
        if not zygote.batch_open:
            zygote.control.sendall(protocol.BATCH)
            zygote.batch_open = True
        zygote.data.settimeout(_SLACK_SECONDS)
        zygote.data.sendall(frames.pack(0, json.dumps(request).encode()))

    def _collect(self, zygote: Zygote, done: list[Report], wall: float) -> None:
        reader = _TimedReader(zygote)
        while True:
            tag, body = reader.read(5 * wall + _SLACK_SECONDS)
            if tag == replies.REPORT:
                done.append(Report(**json.loads(body)))
                continue
            if tag == replies.LAST:
                self._await_done(zygote)
            if tag == replies.BROKEN:
                raise VerifierBroken(json.loads(body))
            return

    def _direct(self, zygote: Zygote, trial: InputTrial, wall: float) -> None:
        reader = _TimedReader(zygote)
        while True:
            tag, body = reader.read(5 * wall + _SLACK_SECONDS)
            if tag != replies.RAN:
                if tag == replies.LAST:
                    self._await_done(zygote)
                return
            (length,) = replies.RAN_HEAD.unpack_from(body)
            start = replies.RAN_HEAD.size + length
            answer = trial.take(json.loads(body[replies.RAN_HEAD.size : start]), body[start:])
            zygote.data.sendall(frames.pack(answer, b""))

    def _await_done(self, zygote: Zygote) -> None:
        zygote.control.settimeout(_SLACK_SECONDS)
        spent = zygote.control.recv(protocol.DONE.size)
        if len(spent) != protocol.DONE.size:
            raise EOFError("the zygote ended")
        zygote.cpu_seconds = protocol.DONE.unpack(spent)[0]
        zygote.batch_open = False

    def _started(self) -> Zygote:
        if self._owner != os.getpid():
            # A fork of the worker must not speak over its parent's descriptors.
            self._zygote, self._owner = None, os.getpid()
        if self._zygote is None:
            try:
                self._zygote = launch(self.walls, self.limits)
            except (LaunchFailed, OSError) as error:
                raise VerifierBroken(f"the {self.tier} sandbox does not start: {error}") from None
        return self._zygote

    @staticmethod
    def _request(plan: TestPlan | MatrixPlan, programs: Sequence[str], limits: Limits) -> dict[str, Any]:
        if isinstance(plan, MatrixPlan):
            asked = {"matrix": list(plan.tests), "entry_point": plan.entry_point, "programs": list(programs)}
            return asked | _held_to(limits)
        return {
            "prompt": plan.prompt,
            "tests": plan.tests,
            "entry_point": plan.entry_point,
            "shared_process": plan.shared_process,
            "collect": plan.collect,
            "programs": list(programs),
            **_held_to(limits),
        }


def _held_to(limits: Limits) -> dict[str, Any]:
    return {
        "cpu_seconds": limits.cpu_seconds,
        "wall_seconds": limits.wall,
        "memory_bytes": limits.memory_bytes,
        "output_bytes": limits.output_bytes,
        "answer_bytes": limits.answer_bytes,
    }


class _TimedReader:
    """Frames from the judging process; the batch's end without its END frame, or silence, is a loss."""

    def __init__(self, zygote: Zygote) -> None:
        self._zygote = zygote
        zygote.data.setblocking(False)
        self._reader = frames.Reader(zygote.data.fileno(), _REPORT_LIMIT)
        self._poll = select.poll()
        self._poll.register(zygote.data, select.POLLIN)
        self._poll.register(zygote.control, select.POLLIN)

    def read(self, seconds: float) -> tuple[int, bytes]:
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._reader.read()
            except BlockingIOError:
                ready = dict(self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
            if not ready:
                raise EOFError(f"no report within {seconds:.0f} s")
            if self._zygote.data.fileno() not in ready:
                return self._last_words()

    def _last_words(self) -> tuple[int, bytes]:
        """The batch is over: what it wrote before has come by now."""
        try:
            return self._reader.read()
        except BlockingIOError:
            raise EOFError("the judging process ended early") from None
