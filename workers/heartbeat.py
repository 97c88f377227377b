"""Leases of the batches in work are extended as long as this process lives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from store.batches import extend_leases
from store.connection import transaction
from workers.presence import worker_name
from workers.tally import TALLY

_LOG = logging.getLogger(__name__)


class Heartbeat:
    """Extends the leases of the batches it is told of, four times a lease."""

    def __init__(self, lease_seconds: float) -> None:
        self.lease_seconds = lease_seconds
        self.worker = worker_name()
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def holding(self, batch_id: int) -> Iterator[None]:
        """Keep the lease of a batch while the block runs."""
        with self._lock:
            self._held.add(batch_id)
            TALLY.hold(batch_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="passatk-heartbeat", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(batch_id)
                TALLY.hold(next(iter(self._held), 0))

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(self.lease_seconds / 4):
            with self._lock:
                held = list(self._held)
            if not held:
                continue
            try:
                with transaction() as connection:
                    extend_leases(connection, held, self.worker, self.lease_seconds)
            except Exception:
                # The lease may end and another worker may draw the same samples: the keys make that harmless.
                _LOG.warning("Could not extend the leases of %d batches.", len(held), exc_info=True)
