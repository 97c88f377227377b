"""One thread writes what all drawing threads finished: several batches in one transaction, beside generation."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from store.batches import Batch, follow_with_verification, mark_done
from store.connection import StoreUnreachable, patiently, transaction
from store.samples import SampleRow, write_samples
from workers.tally import TALLY


@dataclass(frozen=True)
class _Finished:
    batch: Batch
    rows: Sequence[SampleRow]
    written: Future[list[int]] = field(default_factory=Future)


class Writer:
    """`write` returns a future that holds, once the rows are committed, the ids of the judging batches that follow."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[_Finished | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="passatk-writer", daemon=True)
        self._thread.start()

    def write(self, batch: Batch, rows: Sequence[SampleRow]) -> Future[list[int]]:
        """Hand over the rows of a batch."""
        finished = _Finished(batch, rows)
        self._inbox.put(finished)
        return finished.written

    def close(self) -> None:
        """Write what was handed over, then stop."""
        self._inbox.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            group, last = self._next_group()
            if group:
                self._write_group(group)
            if last:
                return

    def _next_group(self) -> tuple[list[_Finished], bool]:
        """Everything that waits; at least one item."""
        group: list[_Finished] = []
        item = self._inbox.get()
        while True:
            if item is None:
                return group, True
            group.append(item)
            if self._inbox.empty():
                return group, False
            item = self._inbox.get()

    def _write_group(self, group: list[_Finished]) -> None:
        try:
            followers = patiently(lambda: _commit(group))
        except Exception as error:
            if len(group) > 1 and not isinstance(error, StoreUnreachable):
                # One bad batch must not take its neighbours along: write each alone.
                for item in group:
                    self._write_group([item])
                return
            for item in group:
                item.written.set_exception(error)
            return
        rows = [row for item in group for row in item.rows]
        TALLY.add(batches=len(group), samples=len(rows), tokens=sum(row.completion_tokens or 0 for row in rows))
        for item, ids in zip(group, followers, strict=True):
            item.written.set_result(ids)


def _commit(group: Sequence[_Finished]) -> list[list[int]]:
    with transaction() as connection:
        new = write_samples(connection, (row for item in group for row in item.rows))
        mark_done(connection, {item.batch.batch_id: new.get(item.batch.batch_id, 0) for item in group})
        return follow_with_verification(connection, [item.batch for item in group])
