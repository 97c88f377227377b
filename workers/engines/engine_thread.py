"""One thread steps an engine and feeds it from every caller: requests join and leave a batch that never drains."""

import atexit
import contextlib
import copy
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from workers.engines.door import CLOSED, Generated, GenerationRequest, SamplingParameters
from workers.errors import EngineFailed

#: Longest wait for a step that is under way when the engine is closed; one that hangs dies with the process.
_STEP_SECONDS = 60.0


@dataclass(frozen=True)
class Part:
    """Samples that an engine draws as one: token ids of the prompt, and one seed a sample."""

    id: str
    tokens: Sequence[int]
    seeds: tuple[int, ...]
    sampling: SamplingParameters
    submitted: float
    adapter: str | None = None


class Stepper(Protocol):
    """An engine that works only when stepped, by the one thread that opened it."""

    def parts(self, request: GenerationRequest) -> Iterable[tuple[int, ...]]:
        """Cut the seeds of a request into what the engine draws at once."""

    def add(self, part: Part) -> None:
        """Take a part into the batch; raises GenerationRefused for what it will not draw."""

    def busy(self) -> bool:
        """Whether any part is unfinished."""

    def step(self) -> Iterable[tuple[str, list[Generated]]]:
        """Draw the next tokens; the ids and samples of the parts that finished."""

    def abort(self, ids: Sequence[str]) -> None:
        """Forget unfinished parts."""

    def shutdown(self) -> None:
        """Free what the engine holds."""


@dataclass
class _Waiting:
    """A request on its way: its parts in order, each filled when it finishes."""

    request: GenerationRequest
    tokens: Sequence[int]
    future: "Future[list[Generated]]"
    submitted: float = field(default_factory=time.monotonic)
    parts: dict[str, list[Generated] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Close:
    deadline: float


class EngineThread:
    """Runs a stepper until it is closed or breaks; `submit`, `alive` and `close` may be called from any thread."""

    def __init__(self, open_stepper: Callable[[], Stepper]) -> None:
        """Open the engine in its own thread and wait for it; raises what `open_stepper` raises."""
        self._inbox: queue.SimpleQueue[_Waiting | _Close] = queue.SimpleQueue()
        self._by_part: dict[str, _Waiting] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._refusal: EngineFailed | None = None  # why nothing more is taken
        self._closing: _Close | None = None
        self._progress = time.monotonic()
        opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(open_stepper, opened), name="engine", daemon=True)
        self._thread.start()
        opened.result()
        # A daemon thread inside native code at interpreter exit takes the process down with it.
        atexit.register(self.close, 0.0)

    def submit(self, request: GenerationRequest, tokens: Sequence[int]) -> "Future[list[Generated]]":
        """Queue a request; raises EngineFailed once the engine is closed or broken."""
        waiting = _Waiting(request, tokens, Future())
        with self._lock:
            if self._refusal is not None:
                raise copy.copy(self._refusal)
            self._inbox.put(waiting)
        return waiting.future

    def alive(self, stall_seconds: float = 300.0) -> bool:
        """Whether the thread takes work and, if it has any, has made a step within `stall_seconds`."""
        if self._refusal is not None or not self._thread.is_alive():
            return False
        idle = not self._by_part and self._inbox.empty()
        return idle or time.monotonic() - self._progress < stall_seconds

    def close(self, drain_seconds: float) -> None:
        """Take no more, let the running samples finish for at most `drain_seconds`, fail the rest, end the thread."""
        with self._lock:
            self._refusal = self._refusal or EngineFailed(CLOSED)
            self._inbox.put(_Close(time.monotonic() + drain_seconds))
        atexit.unregister(self.close)
        if threading.current_thread() is not self._thread:
            self._thread.join(drain_seconds + _STEP_SECONDS)

    def _run(self, open_stepper: Callable[[], Stepper], opened: "Future[None]") -> None:
        try:
            stepper = open_stepper()
        except BaseException as error:
            opened.set_exception(error)
            return
        opened.set_result(None)
        del opened
        try:
            self._serve(stepper)
            self._fail_all(EngineFailed(CLOSED))
        except EngineFailed as error:  # which says itself whether another try can help
            self._fail_all(error)
        except BaseException as error:
            broke = EngineFailed(f"the engine broke while generating and must be opened anew: {_one_line(error)}")
            broke.__cause__ = error
            self._fail_all(broke)
        finally:
            with contextlib.suppress(Exception):  # a broken engine may also break while it is freed
                stepper.shutdown()

    def _serve(self, stepper: Stepper) -> None:
        while True:
            self._take(stepper)
            if self._closing and (not stepper.busy() or time.monotonic() > self._closing.deadline):
                stepper.abort(list(self._by_part))
                return
            if stepper.busy():
                for part_id, samples in stepper.step():
                    self._finish(part_id, samples)
            self._progress = time.monotonic()

    def _take(self, stepper: Stepper) -> None:
        """Move everything from the inbox into the engine; wait for something when the engine has nothing to do."""
        wait = not stepper.busy() and self._closing is None
        while True:
            try:
                taken = self._inbox.get(block=wait)
            except queue.Empty:
                return
            wait = False
            self._progress = time.monotonic()
            if isinstance(taken, _Close):
                self._closing = taken
            elif taken.future.set_running_or_notify_cancel():
                self._start(stepper, taken)

    def _start(self, stepper: Stepper, waiting: _Waiting) -> None:
        request = waiting.request
        try:
            for seeds in stepper.parts(request):
                name = str(next(self._numbers))
                part = Part(name, waiting.tokens, seeds, request.sampling, waiting.submitted, request.adapter)
                stepper.add(part)
                waiting.parts[part.id] = None
                self._by_part[part.id] = waiting
        except Exception as error:  # the request is at fault, not the engine: the others go on
            self._drop(stepper, waiting, error)

    def _drop(self, stepper: Stepper, waiting: _Waiting, error: BaseException) -> None:
        stepper.abort(list(waiting.parts))
        for part_id in waiting.parts:
            self._by_part.pop(part_id, None)
        waiting.future.set_exception(error)

    def _finish(self, part_id: str, samples: list[Generated]) -> None:
        waiting = self._by_part.pop(part_id, None)
        if waiting is None:  # dropped while it ran
            return
        waiting.parts[part_id] = samples
        if all(part is not None for part in waiting.parts.values()):
            self._answer(waiting)

    @staticmethod
    def _answer(waiting: _Waiting) -> None:
        samples = [sample for part in waiting.parts.values() for sample in part or ()]
        asked = waiting.request.seeds
        if tuple(sample.seed for sample in samples) == asked:
            waiting.future.set_result(samples)
        else:
            waiting.future.set_exception(EngineFailed(f"{len(asked)} samples were asked for, {len(samples)} came back"))

    def _fail_all(self, reason: EngineFailed) -> None:
        """Refuse new work, and fail everything that was taken or still lies in the inbox."""
        with self._lock:
            self._refusal = reason
        left = {id(waiting): waiting for waiting in self._by_part.values()}
        while not self._inbox.empty():
            taken = self._inbox.get()
            if isinstance(taken, _Waiting) and taken.future.set_running_or_notify_cancel():
                left[id(taken)] = taken
        self._by_part.clear()
        for waiting in left.values():
            failure = copy.copy(reason)
            failure.__cause__ = reason.__cause__
            waiting.future.set_exception(failure)


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
