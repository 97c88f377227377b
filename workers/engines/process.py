"""Engines that share this process, and so must not tear down what the others stand on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class OpenEngines:
    """Counts the open engines of a process and shuts closed ones down together with the last.

    Shutting one vLLM engine down ends the process groups that every engine of the process computes in.
    """

    def __init__(self) -> None:
        """None is open."""
        self._lock = threading.Lock()
        self._open = 0
        self._shutdowns: list[Callable[[], None]] = []

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Count an engine as open from the start of its loading; not if that fails."""
        with self._lock:
            self._open += 1
        try:
            yield
        except BaseException:
            self.closed(lambda: None)
            raise

    def closed(self, shutdown: Callable[[], None]) -> None:
        """Close one; its memory is freed when no other is open."""
        with self._lock:
            self._open -= 1
            self._shutdowns.append(shutdown)
            while not self._open and self._shutdowns:
                self._shutdowns.pop()()


ENGINES = OpenEngines()
