"""One future over the parts of a request that are drawn apart."""

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future

from workers.engines.door import CLOSED, Generated
from workers.errors import EngineFailed


class Gathering:
    """The future of a request: its slices' samples in order, or the first failure among them."""

    def __init__(self, slices: Sequence[tuple[int, ...]]) -> None:
        """Wait for one result a slice of the seeds."""
        self.slices = slices
        self.future: Future[list[Generated]] = Future()
        self.future.set_running_or_notify_cancel()
        self._lock = threading.Lock()
        self._drawn: dict[int, list[Generated]] = {}

    def fill(self, i: int, part: "Future[list[Generated]]") -> None:
        """Put the finished slice i in its place."""
        try:
            drawn = part.result()
        except CancelledError:
            self.fail(EngineFailed(CLOSED))
        except BaseException as error:
            self.fail(error)
        else:
            with self._lock:
                self._drawn[i] = drawn
                if len(self._drawn) == len(self.slices) and not self.future.done():
                    self.future.set_result([sample for j in range(len(self.slices)) for sample in self._drawn[j]])

    def left(self) -> int:
        """Samples that are not drawn yet."""
        if self.future.done():
            return 0
        with self._lock:
            return sum(len(seeds) for i, seeds in enumerate(self.slices) if i not in self._drawn)

    def fail(self, error: BaseException) -> None:
        """End the whole, unless it has ended."""
        with self._lock:
            if not self.future.done():
                self.future.set_exception(error)
