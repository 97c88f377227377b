"""Whole programs on inputs: each input in a process of its own; what was printed goes to the worker, which compares.

No expected output is ever here. After each run the worker says whether to go on with the next input.
"""

from __future__ import annotations

import _socket
import array
import fcntl
import json
import os
import select
from dataclasses import dataclass
from typing import Any

from workers.sandbox.inside import batch_root, whole_program
from workers.sandbox.inside.accounts import Ended, Raised, Stopped
from workers.sandbox.inside.frames import Reader, pack, send
from workers.sandbox.inside.replies import END, LAST, NEXT_PROGRAM, RAN, RAN_HEAD, SCRATCH
from workers.sandbox.inside.session import Session
from workers.sandbox.inside.weighing import killed_for_memory, told_of

_SIGXCPU, _SIGSYS = 24, 31
#: Inputs kept open from one program to the next; a request with more makes the others anew for each run.
_KEPT_INPUTS = 256


@dataclass(frozen=True)
class InputRequest:
    """A batch: inputs, the programs to run on each of them, and the limits of a run.

    The first program begins at input `first`; it ran on those before already.
    """

    inputs: list[str]
    programs: list[str]
    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int
    output_bytes: int
    answer_bytes: int
    first: int = 0
    last: bool = False


def serve(
    reader: Reader, data: int, orders: _socket.socket, request: InputRequest, has_scratch: bool, left: int
) -> bool:
    """Run the programs as the worker directs; END, or LAST where the batch root must not serve any further.

    Returns whether it may.
    """
    inputs = _Inputs(request.inputs)
    for number, program in enumerate(request.programs):
        code: bytes | None = None
        for at in range(request.first if number == 0 else 0, len(request.inputs)):
            run = _Run(orders, _limits(request), request.wall_seconds, request.answer_bytes)
            told, output = run.through(program, code, inputs.open(at), request)
            code = run.code
            _tell(data, told, output)
            answer, _ = reader.read()
            left -= 1
            if left <= 0 or (has_scratch and os.listdir(SCRATCH)):
                send(data, LAST, b"")
                return False
            if answer == NEXT_PROGRAM:
                break
    send(data, LAST if request.last else END, b"")
    return not request.last


def _limits(request: InputRequest) -> batch_root.SpawnLimits:
    return batch_root.SpawnLimits(request.cpu_seconds, request.memory_bytes, request.output_bytes)


def _tell(data: int, told: dict[str, Any], output: bytes) -> None:
    head = json.dumps(told).encode()
    view = memoryview(pack(RAN, RAN_HEAD.pack(len(head)) + head + output))
    while view:
        view = view[os.write(data, view) :]


class _Inputs:
    """The inputs as files in memory that nobody can change."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts
        self._open: dict[int, int] = {}
        self._passing: int | None = None

    def open(self, at: int) -> int:
        """A descriptor at the beginning of input `at`; this object closes it."""
        if self._passing is not None:
            os.close(self._passing)
            self._passing = None
        if at in self._open:
            os.lseek(self._open[at], 0, os.SEEK_SET)
            return self._open[at]
        descriptor = _sealed(self._texts[at].encode("utf-8", "surrogatepass"))
        if len(self._open) < _KEPT_INPUTS:
            self._open[at] = descriptor
        else:
            self._passing = descriptor
        return descriptor


def _sealed(content: bytes) -> int:
    descriptor = os.memfd_create("input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


class _Run(Session):
    """One program on one input."""

    code: bytes | None = None
    compile_error: Raised | None = None

    def through(
        self, program: str, code: bytes | None, given: int, request: InputRequest
    ) -> tuple[dict[str, Any], bytes]:
        """What is told of the run, and what it printed (nothing where it broke a limit)."""
        self.code = code
        self._begin(given)
        try:
            self._hand_over(program)
            self._wait()
        except Stopped:
            pass
        wall = self.wall()
        output = self._output
        self._output = os.dup(output)
        ended = self.finish()
        told = self._told(ended, request) | {"cpu_seconds": ended.cpu_seconds, "wall_seconds": wall}
        printed = b"" if told["reason"] == "output_limit" else _whole(output, ended.printed)
        os.close(output)
        return told, printed

    def _begin(self, given: int) -> None:
        order = batch_root.RUN + batch_root.LIMITS.pack(*self.limits)
        rights = array.array("i", [given])
        self.orders.sendmsg([order], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        self._take_over()

    def _hand_over(self, program: str) -> None:
        if self.code is not None:
            self._send(whole_program.CODE, self.code)
            return
        tag, body = self._ask(whole_program.SOURCE, program.encode("utf-8", "surrogatepass"))
        if tag == whole_program.CODED:
            self.code = body
        else:
            self.compile_error = self._raised(body)

    def _wait(self) -> None:
        """Until it ends or passes a limit."""
        handle = os.pidfd_open(self._pid)
        try:
            waiting = select.poll()
            waiting.register(handle, select.POLLIN)
            while not waiting.poll(max(5, int(self._clocks.wake_in * 1000) + 1)):
                exceeded = self._clocks.exceeded()
                if exceeded:
                    raise self._stop(exceeded)
            self.stopped = "gone"
        finally:
            os.close(handle)

    def _told(self, ended: Ended, request: InputRequest) -> dict[str, Any]:
        if self.compile_error is not None:
            return {"reason": "compile_error", "detail": told_of(self.compile_error)}
        reason = self._reason(ended, request)
        detail: dict[str, Any] = {}
        if reason is not None:
            if os.WIFSIGNALED(ended.status) and ended.by_itself:
                detail["signal"] = os.WTERMSIG(ended.status)
            elif ended.by_itself:
                detail["exit_code"] = os.waitstatus_to_exitcode(ended.status)
            if ended.tail:
                detail["stderr_tail"] = ended.tail
        return {"reason": reason, "detail": detail}

    def _reason(self, ended: Ended, request: InputRequest) -> str | None:
        """None where the program ended well; else what it broke, in the order that the limits have."""
        signalled = os.WTERMSIG(ended.status) if ended.by_itself and os.WIFSIGNALED(ended.status) else 0
        last_line = ended.tail.rstrip().rpartition("\n")[2]
        failed = not ended.by_itself or ended.status != 0
        memory = killed_for_memory(ended, request.cpu_seconds, request.memory_bytes)
        checks = (
            (ended.printed >= request.output_bytes or self.stopped == "output_limit", "output_limit"),
            (memory or (failed and last_line.startswith("MemoryError")), "memory"),
            (self.stopped == "cpu_time" or ended.cpu_seconds >= request.cpu_seconds, "cpu_time"),
            (signalled == _SIGXCPU, "cpu_time"),
            (self.stopped == "wall_time", "wall_time"),
            (signalled == _SIGSYS or (failed and last_line.startswith("PermissionError")), "forbidden"),
            (failed, "exception"),
        )
        return next((reason for holds, reason in checks if holds), None)


def _whole(descriptor: int, size: int) -> bytes:
    parts, at = [], 0
    while at < size:
        part = os.pread(descriptor, size - at, at)
        if not part:
            break
        parts.append(part)
        at += len(part)
    return b"".join(parts)
