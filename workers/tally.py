"""What this worker has done since it started: counted by its threads or processes, read by its reporter.

The counts lie in memory that forked processes share, one row each, so that no lock is left held by one that is killed.
"""

from __future__ import annotations

import mmap
import threading
from dataclasses import dataclass, fields

_SLOTS = 513  # the worker's own process, and the most judging processes it may have


@dataclass
class Counts:
    """Since the worker started: rows written, batches finished, batches that failed or were given back."""

    samples: int = 0
    tokens: int = 0
    verdicts: int = 0
    batches: int = 0
    failures: int = 0


_NAMES = [field.name for field in fields(Counts)]
_HELD = len(_NAMES)
_WIDTH = len(_NAMES) + 1


class Tally:
    """Adds up over processes; `use_slot` is called in a forked one before it counts."""

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, _SLOTS * _WIDTH * 8)).cast("q")
        self._lock = threading.Lock()
        self._slot = 0

    def use_slot(self, slot: int) -> None:
        """Count in a row of its own from now on; who takes over the row of a dead process goes on from its counts."""
        self._lock = threading.Lock()  # the one that was forked may be held by a thread that is not here
        self._slot = 1 + slot % (_SLOTS - 1)
        self._cells[self._slot * _WIDTH + _HELD] = 0

    def add(self, **counts: int) -> None:
        """Add to the counts by name."""
        with self._lock:
            for name, count in counts.items():
                self._cells[self._slot * _WIDTH + _NAMES.index(name)] += count

    def hold(self, batch_id: int) -> None:
        """Remember a batch that this process has in work; 0 when it has none."""
        self._cells[self._slot * _WIDTH + _HELD] = batch_id

    def counts(self) -> Counts:
        """The sums over all processes."""
        values = self._cells.tolist()
        return Counts(*(sum(values[column::_WIDTH]) for column in range(len(_NAMES))))

    def held(self) -> int | None:
        """One of the batches in work."""
        return next((held for held in self._cells.tolist()[_HELD::_WIDTH] if held), None)


#: This worker's.
TALLY = Tally()
