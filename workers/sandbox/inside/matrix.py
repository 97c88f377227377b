"""Candidates against tests that a model wrote: every pair its own outcome, candidates loaded once where that is fair.

The tests are as untrusted as the candidates. Plain assertions are walked by an interpreter of our own and their calls
go to the candidate's process; any other test runs inside the candidate (weak: it could be tampered with there). A test
that ends its candidate costs a new one for the tests that are left.
"""

from __future__ import annotations

import _socket
import ast
import json
import signal
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from workers.sandbox.inside import candidate
from workers.sandbox.inside.accounts import Ended, Raised, Stopped
from workers.sandbox.inside.batch_root import SpawnLimits
from workers.sandbox.inside.frames import send
from workers.sandbox.inside.plain_expressions import Evaluation, plain_assertion
from workers.sandbox.inside.replies import END, LAST, REPORT
from workers.sandbox.inside.session import Session
from workers.sandbox.inside.weighing import killed_for_memory, reason_of

_FAR = 5.0
#: A candidate that was ended so often is held to fail the tests that are left, for the reason it was ended for last.
_MOST_ENDS = 5
_FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


@dataclass(frozen=True)
class MatrixRequest:
    """A batch: generated tests as source, the function they call, programs; limits are for each test."""

    matrix: list[str]
    entry_point: str
    programs: list[str]
    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int
    output_bytes: int
    answer_bytes: int
    last: bool = False


@dataclass
class Row:
    """One candidate's line of the matrix: for each test None (it passes) or the reason why not."""

    outcomes: list[str | None] = field(default_factory=list)
    weak: bool = False
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    spawned: int = 0
    ends: int = 0


class TestTookTooLong(BaseException):
    """A test itself ran far beyond the candidate's wall limit."""


def serve(data: int, orders: _socket.socket, request: MatrixRequest, scratch_used: Any, left: int) -> bool:
    """Judge the programs, one report each, then END or LAST; whether the batch root may serve another request."""
    signal.signal(signal.SIGALRM, _on_alarm)
    conditions = [_read(source, request.entry_point) for source in request.matrix]
    for program in request.programs:
        row = Row()
        _fill(row, orders, request, conditions, program)
        send(data, REPORT, json.dumps(_report(row)).encode())
        left -= row.spawned
        if left <= 0 or scratch_used():
            send(data, LAST, b"")
            return False
    send(data, LAST if request.last else END, b"")
    return not request.last


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    raise TestTookTooLong


def _read(source: str, entry_point: str) -> ast.expr | str | None:
    """A plain test's condition; the source of one that is not plain; None for one that is no Python."""
    try:
        return plain_assertion(source, entry_point) or source
    except _FAULTS:
        return None


def _report(row: Row) -> dict[str, Any]:
    failed = next((reason for reason in row.outcomes if reason is not None), None)
    return {
        "outcome": "correct" if failed is None else "incorrect",
        "reason": failed,
        "cpu_seconds": row.cpu_seconds,
        "wall_seconds": row.wall_seconds,
        "integrity": "weak" if row.weak else "strong",
        "detail": {"outcomes": row.outcomes},
    }


def _fill(row: Row, orders: _socket.socket, request: MatrixRequest, conditions: list[Any], program: str) -> None:
    while len(row.outcomes) < len(conditions):
        at = len(row.outcomes)
        last = _with_one_candidate(row, orders, request, conditions, program)
        row.ends += 1
        if last is not None and (row.ends >= _MOST_ENDS or len(row.outcomes) == at):
            row.outcomes += [last] * (len(conditions) - len(row.outcomes))


def _with_one_candidate(
    row: Row, orders: _socket.socket, request: MatrixRequest, conditions: list[Any], program: str
) -> str | None:
    """Go on with a new candidate until it is ended or all is tested; why it was ended."""
    budget = request.cpu_seconds * (len(conditions) - len(row.outcomes) + 1)
    limits = SpawnLimits(budget, request.memory_bytes, request.output_bytes)
    session = Session(orders, limits, request.wall_seconds, request.answer_bytes)
    session.start()
    row.spawned += 1
    reason: str | None = None
    loaded = False
    try:
        session.allow(request.cpu_seconds, request.wall_seconds)
        reason = _load(session, program)
        loaded = reason is None
        while loaded and len(row.outcomes) < len(conditions):
            session.allow(request.cpu_seconds, request.wall_seconds)
            row.outcomes.append(_test(row, session, request, conditions[len(row.outcomes)]))
    except Stopped:
        reason = "exception"
    except TestTookTooLong:
        session.stopped = session.stopped or "wall_time"
        reason = "wall_time"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        row.wall_seconds += session.wall()
        ended = session.finish()
    row.cpu_seconds += ended.cpu_seconds
    if reason is None:
        return None
    reason = _why(session, ended, request, budget, reason)
    if loaded:
        row.outcomes.append(reason)
    return reason


def _load(session: Session, program: str) -> str | None:
    tag, raised = session.load(program)
    if raised is None:
        return None
    return "compile_error" if tag == candidate.NO_SYNTAX else reason_of(raised)


def _test(row: Row, session: Session, request: MatrixRequest, condition: Any) -> str | None:
    if condition is None:
        return "compile_error"
    if isinstance(condition, str):
        row.weak = True
        raised = session.test_there("", condition, None)
        return None if raised is None else _reason_there(raised)
    signal.setitimer(signal.ITIMER_REAL, request.wall_seconds + _FAR)
    evaluation = Evaluation(
        request.entry_point, lambda arguments, keywords: session.call(request.entry_point, arguments, keywords)
    )
    try:
        return None if evaluation.value(condition) else "wrong_answer"
    except (Stopped, TestTookTooLong):
        raise
    except BaseException as error:
        own = getattr(error, "__passatk__", None)
        return reason_of(own) if isinstance(own, Raised) else "exception"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _reason_there(raised: Raised) -> str:
    return "wrong_answer" if "AssertionError" in raised.kinds and raised.in_tests else reason_of(raised)


def _why(session: Session, ended: Ended, request: MatrixRequest, budget: float, reason: str) -> str:
    """The reason for a candidate's end, in the order that the limits have."""
    if session.stopped is None:
        return reason
    if ended.printed >= request.output_bytes or session.stopped == "output_limit":
        return "output_limit"
    if killed_for_memory(ended, budget, request.memory_bytes):
        return "memory"
    return session.stopped if session.stopped in ("cpu_time", "wall_time") else reason
