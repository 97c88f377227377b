"""The judging side of one candidate: calls over its channel, and the clocks that end it."""

from __future__ import annotations

import _socket
import array
import os
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workers.sandbox.inside import batch_root, candidate
from workers.sandbox.inside.accounts import Ended, NeedsSharedProcess, Opaque, OtherError, Raised, Stopped
from workers.sandbox.inside.clocks import Clocks
from workers.sandbox.inside.frames import FrameTooLong, Reader, send
from workers.sandbox.inside.plain_data import NotPlain, decode

_TIMEVAL = struct.Struct("ll")
_TAIL = 4096
_BUILTINS: Mapping[str, Any] = __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)


@dataclass
class Session:
    """One candidate, from its start to its reaping. Every call may raise Stopped."""

    orders: _socket.socket
    limits: batch_root.SpawnLimits
    wall_seconds: float
    answer_bytes: int
    stopped: str | None = None
    last_call: tuple[str, tuple[Any, ...], dict[str, Any]] | None = None
    last_value: Any = None
    opaque: bool = False

    def start(self) -> None:
        """Have the batch root fork a candidate and take over its channel and its output."""
        self.orders.sendall(batch_root.SPAWN + batch_root.LIMITS.pack(*self.limits))
        self._take_over()

    def _take_over(self) -> None:
        data, ancillary, _, _ = self.orders.recvmsg(batch_root.SPAWNED.size, _socket.CMSG_SPACE(12))
        if len(data) != batch_root.SPAWNED.size or not ancillary:
            raise RuntimeError("the batch root is gone")
        descriptors = array.array("i")
        descriptors.frombytes(ancillary[0][2])
        self._pid = batch_root.SPAWNED.unpack(data)[0]
        self._descriptor, self._output = descriptors[:2]
        self._errors = descriptors[2] if len(descriptors) > 2 else None
        self._channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, self._descriptor)
        self._reader = Reader(self._descriptor, self.answer_bytes)
        self._clocks = Clocks(self._pid, self.limits.cpu_seconds, self.wall_seconds)
        self._wake_after(self.limits.cpu_seconds)

    def allow(self, cpu_seconds: float, wall_seconds: float) -> None:
        """Hold what comes to limits of its own."""
        before = self._clocks.wake_in
        self._clocks.allow(cpu_seconds, wall_seconds)
        if self._clocks.wake_in != before:
            self._wake_after(self._clocks.wake_in)

    def load(self, program: str) -> tuple[int, Raised | None]:
        """Run the program's top level; (tag of the answer, what it raised)."""
        tag, body = self._ask(candidate.LOAD, program.encode("utf-8", "surrogatepass"))
        return tag, None if tag == candidate.VALUE else self._raised(body)

    def test_there(self, prompt: str, tests: str, entry_point: str | None) -> Raised | None:
        """Run the tests in the candidate's own process; what it says of the first exception."""
        tag, body = self._ask(candidate.TEST_HERE, pickle.dumps((prompt, tests, entry_point)))
        return None if tag == candidate.VALUE else self._raised(body)

    def call(self, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Call the candidate's function; its value, or its exception raised here."""
        try:
            # Towards the candidate anything may go that its own imports can rebuild.
            message = pickle.dumps((name, arguments, keywords), 5)
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError, ValueError):
            if self.opaque:
                # Only tests may ask for the weaker way, never what a candidate handed to them.
                raise TypeError("a result that is not plain data cannot be passed on") from None
            raise NeedsSharedProcess from None
        self.last_call, self.last_value = (name, arguments, keywords), None
        tag, body = self._ask(candidate.CALL, message)
        if tag == candidate.RAISED:
            raise self._exception(self._raised(body))
        self.last_value = value = self._value(tag, body, arguments)
        self.opaque |= isinstance(value, Opaque)
        return value

    def finish(self) -> Ended:
        """End the candidate, whatever it is doing, and take its account."""
        self.orders.sendall(batch_root.BURY if self.stopped == "gone" else batch_root.REAP)
        data = self.orders.recv(batch_root.REAPED.size)
        ended = Ended(*batch_root.REAPED.unpack(data))
        ended.printed = os.fstat(self._output).st_size
        told = self._output if self._errors is None else self._errors
        size = ended.printed if self._errors is None else os.fstat(told).st_size
        if size:
            ended.tail = os.pread(told, _TAIL, max(0, size - _TAIL)).decode("utf-8", "replace")
        self._channel.close()
        os.close(self._output)
        if self._errors is not None:
            os.close(self._errors)
        return ended

    def wall(self) -> float:
        """Seconds since the candidate was started."""
        return self._clocks.wall()

    def _ask(self, tag: int, body: bytes) -> tuple[int, bytes]:
        if self.stopped:
            raise Stopped(self.stopped)
        self._check_clocks()
        try:
            self._send(tag, body)
            return self._receive()
        except FrameTooLong:
            raise self._stop("output_limit") from None
        except (EOFError, ConnectionError):
            raise self._stop("gone") from None

    def _send(self, tag: int, body: bytes) -> None:
        try:
            send(self._descriptor, tag, body)
        except BlockingIOError:
            # It does not read: waiting on cannot be resumed in the middle of a message.
            raise self._stop(self._exceeded() or "wall_time") from None

    def _receive(self) -> tuple[int, bytes]:
        while True:
            try:
                return self._reader.read()
            except BlockingIOError:
                self._check_clocks(precisely=True)

    def _check_clocks(self, precisely: bool = False) -> None:
        exceeded = self._exceeded(precisely)
        if exceeded:
            raise self._stop(exceeded)

    def _exceeded(self, precisely: bool = True) -> str | None:
        before = self._clocks.wake_in
        exceeded = self._clocks.exceeded(precisely)
        if self._clocks.wake_in != before:
            self._wake_after(self._clocks.wake_in)
        return exceeded

    def _wake_after(self, seconds: float) -> None:
        microseconds = max(5000, int(seconds * 1e6) + 500)
        value = _TIMEVAL.pack(*divmod(microseconds, 1_000_000))
        self._channel.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, value)
        self._channel.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, value)

    def _stop(self, why: str) -> Stopped:
        self.stopped = why
        return Stopped(why)

    def _value(self, tag: int, body: bytes, arguments: tuple[Any, ...]) -> Any:
        try:
            value = decode(body)
        except NotPlain as error:
            return Opaque(str(error))
        if tag == candidate.OPAQUE:
            return Opaque(str(value)[:200])
        if tag != candidate.VALUE_AND_ARGUMENTS:
            return value
        if not (isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], tuple)):
            return Opaque("no answer")
        for ours, theirs in zip(arguments, value[1], strict=False):
            _write_back(ours, theirs)
        return value[0]

    def _raised(self, body: bytes) -> Raised:
        try:
            kinds, message, where, number, in_tests = decode(body)
            return Raised(
                [str(kind)[:80] for kind in kinds][:12],
                str(message)[:_TAIL],
                str(where)[:_TAIL],
                number if isinstance(number, int) else None,
                bool(in_tests),
            )
        except (NotPlain, TypeError, ValueError):
            return Raised(["Exception"], "", "", None, False)

    def _exception(self, raised: Raised) -> BaseException:
        """The nearest built-in exception, so that tests that expect one catch it; remembered as the candidate's own."""
        error: BaseException = OtherError(raised.message)
        for kind in raised.kinds:
            known = _BUILTINS.get(kind)
            if isinstance(known, type) and issubclass(known, BaseException):
                error = _built(known, raised.message)
                break
        error.__passatk__ = raised  # type: ignore[attr-defined]
        return error


def _built(kind: type[BaseException], message: str) -> BaseException:
    try:
        return kind(message)
    except TypeError:
        return OtherError(message)


def _write_back(ours: Any, theirs: Any) -> None:
    """A function that changes its argument in place changes it for the tests too, as it would in one process."""
    if type(ours) is not type(theirs) or ours == theirs:
        return
    if isinstance(ours, (list, bytearray)):
        ours[:] = theirs
    elif isinstance(ours, (dict, set)):
        ours.clear()
        ours.update(theirs)
