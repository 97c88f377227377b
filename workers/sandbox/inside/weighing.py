"""What a program's end amounts to: outcome and reason, in the order that the limits have, and the telling details."""

from __future__ import annotations

import os
import reprlib
import signal
from dataclasses import dataclass, field
from typing import Any

from workers.sandbox.inside.accounts import Ended, Raised
from workers.sandbox.inside.session import Session
from workers.sandbox.inside.trusted_tests import TESTS, Request, Tests, shorten

# EPERM and EACCES: the sandbox said no.
_REFUSALS = (1, 13)


@dataclass
class Finding:
    """What the tests found, before the candidate's account is taken."""

    outcome: str
    reason: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def found_there(raised: Raised) -> Finding:
    wrong = raised.in_tests and "AssertionError" in raised.kinds
    return Finding("incorrect", "wrong_answer" if wrong else reason_of(raised), told_of(raised))


def failed(session: Session, tests: Tests, error: BaseException) -> Finding:
    """The tests raised: a failed assertion is a wrong answer, anything else an exception."""
    own = getattr(error, "__passatk__", None)
    if isinstance(own, Raised):
        return Finding("incorrect", reason_of(own), told_of(own) | _context(session, tests, error))
    if isinstance(error, AssertionError):
        said = {"message": shorten(str(error))} if str(error) else {}
        return Finding("incorrect", "wrong_answer", said | _context(session, tests, error))
    told = {"exception": f"{type(error).__name__}: {shorten(str(error))}", "raised_in": "tests"}
    return Finding("incorrect", "exception", told | _context(session, tests, error))


def weigh(finding: Finding, session: Session, ended: Ended, request: Request) -> Finding:
    """The order of outcomes: output limit, memory, time, then whatever the tests found."""
    stopped = session.stopped
    status = ended.status
    detail = finding.detail
    if stopped == "gone":
        if not ended.by_itself:
            detail["exception"] = "the program closed its descriptors and went on"
        elif os.WIFSIGNALED(status):
            detail["signal"] = os.WTERMSIG(status)
        else:
            detail["exit_code"] = os.waitstatus_to_exitcode(status)
            detail["exception"] = "the program ended before it had answered"
    if stopped == "output_limit" or ended.printed >= request.output_bytes:
        return Finding("incorrect", "output_limit", detail)
    if finding.reason == "memory" or killed_for_memory(ended, request.cpu_seconds, request.memory_bytes):
        return Finding("incorrect", "memory", detail)
    if stopped == "cpu_time" or ended.cpu_seconds >= request.cpu_seconds or detail.get("signal") == signal.SIGXCPU:
        return Finding("incorrect", "cpu_time", detail)
    if stopped == "wall_time":
        return Finding("incorrect", "wall_time", detail)
    if detail.get("signal") == signal.SIGSYS:
        return Finding("incorrect", "forbidden", detail)
    if stopped == "gone":
        return Finding("incorrect", "exception", detail)
    return finding


def killed_for_memory(ended: Ended, cpu_seconds: float, memory_bytes: int) -> bool:
    """Whether the process ended by a signal that a lack of memory explains."""
    if not ended.by_itself or not os.WIFSIGNALED(ended.status):
        return False
    killed = os.WTERMSIG(ended.status) == signal.SIGKILL and ended.cpu_seconds < cpu_seconds
    return killed or ended.largest_kb * 1024 > 0.9 * memory_bytes


def reason_of(raised: Raised) -> str:
    if "MemoryError" in raised.kinds:
        return "memory"
    if "OSError" in raised.kinds and raised.number in _REFUSALS:
        return "forbidden"
    return "exception"


def told_of(raised: Raised) -> dict[str, Any]:
    kind = raised.kinds[0] if raised.kinds else "Exception"
    return {"exception": f"{kind}: {shorten(raised.message)}", "traceback": raised.where}


def _context(session: Session, tests: Tests, error: BaseException) -> dict[str, Any]:
    """The failing test and, where it is a comparison with a call, what was expected and what came."""
    line, traceback = 0, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == TESTS:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    detail: dict[str, Any] = tests.describe(line)
    if session.last_call is not None:
        name, arguments, keywords = session.last_call
        shown = [_repr(value) for value in arguments] + [f"{key}={_repr(value)}" for key, value in keywords.items()]
        detail["call"] = shorten(f"{name}({', '.join(shown)})", 400)
        if not hasattr(error, "__passatk__"):
            detail["got"] = _repr(session.last_value)
    return detail


_reprlib = reprlib.Repr()
_reprlib.maxstring = _reprlib.maxother = 200
_reprlib.maxlist = _reprlib.maxtuple = _reprlib.maxdict = _reprlib.maxset = 20


def _repr(value: Any) -> str:
    try:
        return shorten(_reprlib.repr(value), 400)
    except Exception:
        return f"<{type(value).__name__}>"
