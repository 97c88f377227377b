"""The judging process: it holds the tests, runs them against candidates that live elsewhere, and says what came out.

What it says is one report a program, a plain mapping:
outcome, reason (names of the glossary), cpu_seconds, wall_seconds, integrity ("strong" or "weak"), and `detail`.
"""

from __future__ import annotations

import _socket
import base64
import json
import os
import random
import signal
from types import FrameType
from typing import Any

from workers.sandbox.inside import candidate, input_runs, kernel, matrix
from workers.sandbox.inside.accounts import NeedsSharedProcess, Stopped
from workers.sandbox.inside.batch_root import SpawnLimits
from workers.sandbox.inside.frames import Reader, send
from workers.sandbox.inside.plain_data import encode
from workers.sandbox.inside.replies import BROKEN, END, LAST, REPORT, SCRATCH
from workers.sandbox.inside.session import Session
from workers.sandbox.inside.trusted_tests import Request, Tests
from workers.sandbox.inside.weighing import Finding, failed, found_there, reason_of, told_of, weigh

_REQUEST_LIMIT = 1 << 30
_FAR = 5.0


class TestsTookTooLong(BaseException):
    """The tests themselves ran far beyond the candidate's wall limit."""


def serve(data: int, orders: _socket.socket, has_scratch: bool, left: int) -> bool:
    """Read one request from `data`, judge its programs, write one report each and END.

    It ends early after `left` programs, or where a program used its scratch, and then says LAST: the batch root ends
    too, for the next program must not find what this one left. Returns whether the batch root may serve another.
    """
    reader = Reader(data, _REQUEST_LIMIT)
    _, body = reader.read()
    asked = json.loads(body)
    if "inputs" in asked:
        return input_runs.serve(reader, data, orders, input_runs.InputRequest(**asked), has_scratch, left)
    if "matrix" in asked:
        wanted = matrix.MatrixRequest(**asked)
        return matrix.serve(data, orders, wanted, lambda: has_scratch and bool(os.listdir(SCRATCH)), left)
    request = Request(**asked)
    signal.signal(signal.SIGALRM, _on_alarm)
    try:
        tests = Tests(request)
    except Exception as error:
        send(data, BROKEN, json.dumps(f"the tests do not run: {type(error).__name__}: {error}"[:500]).encode())
        return True
    for program in request.programs[:left]:
        report = judge(orders, tests, request, program)
        send(data, REPORT, json.dumps(report).encode())
        if has_scratch and os.listdir(SCRATCH):
            left = 0
            break
    stay = len(request.programs) < left and not request.last
    send(data, END if stay else LAST, b"")
    return stay


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    raise TestsTookTooLong


def judge(orders: _socket.socket, tests: Tests, request: Request, program: str) -> dict[str, Any]:
    """Judge one program, in isolation unless its problem needs a shared process."""
    shared = request.shared_process
    if not shared:
        try:
            return _judge_once(orders, tests, request, program, shared=False)
        except NeedsSharedProcess:
            pass
    return _judge_once(orders, tests, request, program, shared=True)


def _judge_once(orders: _socket.socket, tests: Tests, request: Request, program: str, shared: bool) -> dict[str, Any]:
    limits = SpawnLimits(request.cpu_seconds, request.memory_bytes, request.output_bytes)
    session = Session(orders, limits, request.wall_seconds, request.answer_bytes)
    random.seed(0)
    session.start()
    try:
        finding = _find(session, tests, request, program, shared)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        wall = session.wall()
        ended = session.finish()
    finding = weigh(finding, session, ended, request)
    if ended.tail and finding.outcome != "correct":
        finding.detail["output_tail"] = ended.tail
    if session.opaque:
        finding.detail["opaque_result"] = True
    return {
        "outcome": finding.outcome,
        "reason": finding.reason,
        "cpu_seconds": ended.cpu_seconds,
        "wall_seconds": wall,
        "integrity": "weak" if shared else "strong",
        "detail": finding.detail,
    }


def _find(session: Session, tests: Tests, request: Request, program: str, shared: bool) -> Finding:
    signal.setitimer(signal.ITIMER_REAL, 4 * request.wall_seconds + _FAR)
    try:
        tag, raised = session.load(program)
        if raised is not None:
            reason = "compile_error" if tag == candidate.NO_SYNTAX else reason_of(raised)
            return Finding("incorrect", reason, told_of(raised))
        if shared:
            raised = session.test_there(request.prompt, request.tests, request.entry_point)
            return Finding("correct") if raised is None else found_there(raised)
        names = tests.run(session)
        if request.collect is None:
            return Finding("correct")
        collected = base64.b64encode(encode(names[request.collect])).decode("ascii")
        return Finding("correct", detail={"collected": collected})
    except Stopped:
        return Finding("incorrect", "exception")
    except TestsTookTooLong:
        session.stopped = session.stopped or "wall_time"
        return Finding("incorrect", "wall_time")
    except NeedsSharedProcess:
        raise
    except BaseException as error:
        return failed(session, tests, error)


def become_judge(parent: int) -> None:
    """Set this process up for judging: it dies with the batch root and nobody may look into it."""
    kernel.die_with(parent)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
