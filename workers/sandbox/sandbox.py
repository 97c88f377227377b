"""The sandbox as the worker sees it: hand it a batch of programs and the tests, get a report for each."""

from __future__ import annotations

import json
import os
import select
import threading
import time
from collections.abc import Sequence
from typing import Any

from workers.errors import VerifierBroken
from workers.sandbox.inside import frames, judging
from workers.sandbox.inside import zygote as protocol
from workers.sandbox.launch import LaunchFailed, Walls, Zygote, launch
from workers.sandbox.limits import Limits, Report, TestPlan

#: Programs judged from one batch root before it is replaced.
LARGEST_BATCH = 64
_REPORT_LIMIT = 1 << 20
_SLACK_SECONDS = 15.0


class _ZygoteLost(Exception):
    """The zygote or a batch's trusted processes died or hung; `done` reports had come before."""

    def __init__(self, done: list[Report], why: str) -> None:
        super().__init__(why)
        self.done = done


class Sandbox:
    """One zygote behind the given walls, restarted when it dies. Use it from one thread at a time."""

    def __init__(self, walls: Walls, limits: Limits) -> None:
        self.walls = walls
        self.limits = limits
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
                self._send(zygote, self._request(TestPlan(""), [], self.limits.wall) | {"last": True})
                self._collect(zygote, [], self.limits.wall)
        return self._spent + (self._zygote.cpu_seconds if self._zygote is not None else 0.0)

    def run(self, plan: TestPlan, programs: Sequence[str]) -> list[Report]:
        """One report a program, in order. Raises VerifierBroken where the tests do not run or no zygote will live."""
        with self._lock:
            reports: list[Report] = []
            while len(reports) < len(programs):
                rest = programs[len(reports) : len(reports) + LARGEST_BATCH]
                reports += self._run_stubbornly(plan, rest)
            return reports

    def run_alone(self, plan: TestPlan, program: str, wall_seconds: float) -> Report:
        """Judge one program with a wall limit of its own."""
        with self._lock:
            return self._run_stubbornly(plan, [program], wall_seconds)[0]

    def close(self) -> None:
        """End every process of the sandbox. The sandbox starts again when it is used again."""
        if self._zygote is not None and self._owner == os.getpid():
            self._spent += self._zygote.cpu_seconds
            self._zygote.kill()
        self._zygote = None

    def _run_stubbornly(self, plan: TestPlan, programs: Sequence[str], wall: float | None = None) -> list[Report]:
        """At least one report: a lost zygote is replaced once; a program that loses two in a row is left undecided."""
        for attempt in range(2):
            try:
                return self._run_batch(plan, programs, wall)
            except _ZygoteLost as lost:
                self.close()
                if lost.done:
                    return lost.done
                programs, why = programs[:1], str(lost)
                if attempt:
                    self._check_alive(why)
        detail = {"error": f"the sandbox was lost twice while judging this program: {why}"}
        return [Report("undecided", "verifier_error", 0.0, 0.0, "strong", detail)]

    def _check_alive(self, why: str) -> None:
        """Raise VerifierBroken unless a harmless program still gets its verdict: then the program is to blame."""
        try:
            control = self._run_batch(TestPlan("assert f(2) == 4"), ["def f(x):\n    return x + x\n"], None)
        except _ZygoteLost as lost:
            raise VerifierBroken(f"the {self.tier} sandbox does not stay alive: {why}; then {lost}") from None
        if control[0].outcome != "correct":
            raise VerifierBroken(f"the {self.tier} sandbox fails a harmless program: {control[0].detail}")

    def _run_batch(self, plan: TestPlan, programs: Sequence[str], wall: float | None) -> list[Report]:
        zygote = self._started()
        wall = self.limits.wall if wall is None else wall
        done: list[Report] = []
        try:
            self._send(zygote, self._request(plan, programs, wall))
            self._collect(zygote, done, wall)
        except (OSError, EOFError, frames.FrameTooLong) as error:
            raise _ZygoteLost(done, f"{type(error).__name__} {error}".strip()) from None
        except VerifierBroken:
            raise
        except BaseException:
            # Interrupted in the middle: what still comes would be taken for the next batch's reports.
            self.close()
            raise
        return done

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
            if tag == judging.REPORT:
                done.append(Report(**json.loads(body)))
                continue
            if tag == judging.LAST:
                self._await_done(zygote)
            if tag == judging.BROKEN:
                raise VerifierBroken(json.loads(body))
            return

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

    def _request(self, plan: TestPlan, programs: Sequence[str], wall: float) -> dict[str, Any]:
        return {
            "prompt": plan.prompt,
            "tests": plan.tests,
            "entry_point": plan.entry_point,
            "shared_process": plan.shared_process,
            "programs": list(programs),
            "cpu_seconds": self.limits.cpu_seconds,
            "wall_seconds": wall,
            "memory_bytes": self.limits.memory_bytes,
            "output_bytes": self.limits.output_bytes,
            "answer_bytes": self.limits.answer_bytes,
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
