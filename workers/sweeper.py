"""The sweeper: takes back what dead workers held, and sends again what the queue lost."""

from __future__ import annotations

import logging
import threading

from store.batches import ReadyQueue, lost_batches, ready_queues, sweep_expired
from store.connection import alone, transaction
from store.queue_history import forget_old_depths, measure_queues
from store.worker_registry import forget_old_reports
from workers.enqueue import enqueue, queue_depth
from workers.queues import VERIFY_QUEUE, draw_queue
from workers.settings import WorkerSettings
from workers.stepping import IdleRuns

#: The advisory lock that one sweeper holds.
_LOCK = 727277

#: What this process knows of runs that have had enough.
IDLE = IdleRuns()

_LOG = logging.getLogger(__name__)


def sweep(settings: WorkerSettings) -> int:
    """One pass; returns how many messages were sent again. Of several sweepers one works, the others pass."""
    with alone(_LOCK) as mine:
        if not mine:
            return 0
        with transaction() as connection:
            sweep_expired(connection)
            forget_old_reports(connection)
            forget_old_depths(connection)
            queues = ready_queues(connection, settings.patience_seconds)
        with transaction() as connection:
            measure_queues(connection)
        quiet = [queue for queue in queues if queue.quiet and _fewer_messages(queue)]
        with transaction() as connection:
            lost = lost_batches(connection, quiet, settings.patience_seconds)
        # After the commit, and still alone: two sweepers never send the same batch.
        enqueue(lost + IDLE.plan())
    return len(lost)


def _fewer_messages(queue: ReadyQueue) -> bool:
    return queue_depth(draw_queue(queue.model_name) if queue.model_name is not None else VERIFY_QUEUE) < queue.messages


class Sweeper(threading.Thread):
    """Sweeps every few seconds until told to stop; an error is logged and the next pass tries again."""

    def __init__(self, settings: WorkerSettings, every_seconds: float = 2.0) -> None:
        super().__init__(name="passatk-sweeper", daemon=True)
        self._settings = settings
        self._every = every_seconds
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                sweep(self._settings)
            except Exception:
                _LOG.warning("The sweeper's pass failed; it tries again.", exc_info=True)

    def stop(self) -> None:
        """Stop after the pass in work."""
        self._stopped.set()
