"""Judge batches on this machine, in processes of its own: what a verifying worker does, without a queue."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor

import sqlalchemy as sa

from store.batches import sweep_expired
from store.connection import transaction
from store.runs import Run
from store.tables import batches


class LocalJudges:
    """Works off a run's judging batches with `jobs` processes; safe beside workers, which lease the same batches."""

    def __init__(self, run: Run, verifier_id: int, jobs: int) -> None:
        self._run = run
        self._verifier_id = verifier_id
        # Spawned, not forked: a verifier's sandbox must start from a process that holds nothing of ours.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_ignore_interrupts)
        self._running: dict[int, Future[None]] = {}

    def submit_open(self) -> None:
        """Hand every ready batch that is not in work here to the processes; raise what broke one of them."""
        for batch_id, future in list(self._running.items()):
            if future.done():
                del self._running[batch_id]
                future.result()
        for batch_id in self._ready():
            if batch_id not in self._running:
                self._running[batch_id] = self._pool.submit(judge_here, batch_id)

    def _ready(self) -> Sequence[int]:
        columns = batches.c
        query = sa.select(columns.batch_id).where(
            columns.run_id == self._run.run_id, columns.verifier_id == self._verifier_id, columns.state == "ready"
        )
        with transaction() as connection:
            sweep_expired(connection)
            return connection.scalars(query.order_by(columns.batch_id)).all()

    def close(self) -> None:
        """Finish what is in work and drop the rest; it stays planned in the store."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def judge_here(batch_id: int) -> None:
    """Judge one batch in this process."""
    from workers.verification import the_verification

    the_verification().run(batch_id)


def _ignore_interrupts() -> None:
    # Ctrl-C goes to the whole group: the parent decides, its processes finish the batch in work.
    import atexit
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(_close_verification)


def _close_verification() -> None:
    from workers.verification import the_verification

    if the_verification.cache_info().currsize:
        the_verification().close()


def default_jobs() -> int:
    """One process a core."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
