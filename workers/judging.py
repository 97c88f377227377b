"""Judge batches on this machine, in processes of its own: what a verifying worker does, without a queue."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker

import sqlalchemy as sa

from store.batches import claim, sweep_expired
from store.connection import patiently, transaction
from store.errors import PassatkError
from store.runs import Run
from store.tables import batches

#: So many deaths in a row, with no batch judged between them, are no accident.
_MOST_DEATHS = 5


class JudgesDied(PassatkError):
    """The judging processes died again and again."""


class LocalJudges:
    """Works off a run's judging batches with `jobs` processes; safe beside workers, which lease the same batches."""

    def __init__(self, run: Run, verifier_id: int, jobs: int) -> None:
        self._run = run
        self._verifier_id = verifier_id
        self._jobs = jobs
        self._pool = _processes(jobs)
        self._running: dict[int, Future[None]] = {}
        self._deaths = 0

    def submit_open(self) -> None:
        """Hand every ready batch that is not in work here to the processes; raise what broke one of them.

        Processes that were killed are replaced: what they held is judged again when its lease ends.
        """
        try:
            self._collect()
            for batch_id in patiently(self._ready):
                if batch_id not in self._running:
                    with _interrupts_held():
                        self._running[batch_id] = self._pool.submit(judge_here, batch_id)
        except BrokenExecutor as error:
            self._replace_processes(error)

    def _collect(self) -> None:
        for batch_id, future in list(self._running.items()):
            if future.done():
                del self._running[batch_id]
                future.result()
                self._deaths = 0

    def _replace_processes(self, error: BrokenExecutor) -> None:
        self._deaths += 1
        if self._deaths >= _MOST_DEATHS:
            raise JudgesDied(
                f"A judging process died {self._deaths} times in a row ({error}): is memory short? "
                "Try fewer --jobs; what was judged is stored."
            ) from error
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._running.clear()
        self._pool = _processes(self._jobs)

    def _ready(self) -> Sequence[int]:
        columns = batches.c
        query = sa.select(columns.batch_id).where(
            columns.run_id == self._run.run_id, columns.verifier_id == self._verifier_id, columns.state == "ready"
        )
        with transaction() as connection:
            sweep_expired(connection)
            return connection.scalars(query.order_by(columns.batch_id)).all()

    def left(self) -> int:
        """Batches of the run and verifier that are not judged yet, here or elsewhere."""
        columns = batches.c
        query = sa.select(sa.func.count()).where(
            columns.run_id == self._run.run_id,
            columns.verifier_id == self._verifier_id,
            columns.state.in_(["ready", "leased"]),
        )

        def count() -> int:
            with transaction() as connection:
                return int(connection.execute(query).scalar_one())

        return patiently(count)

    def close(self) -> None:
        """Finish what is in work and drop the rest; it stays planned in the store."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _processes(jobs: int) -> ProcessPoolExecutor:
    # Spawned, not forked: a verifier's sandbox must start from a process that holds nothing of ours.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_ignore_interrupts)


def judge_here(batch_id: int) -> None:
    """Judge one batch in this process."""
    from workers.verification import the_verification

    the_verification().run(batch_id, claim)  # this one and no other: the command is about one run


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started here hold Ctrl-C back from their first instruction on, until they ignore it."""
    resource_tracker.ensure_running()  # its start would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_interrupts() -> None:
    # Ctrl-C goes to the whole group: the parent decides, its processes finish the batch in work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    atexit.register(_close_verification)


def _close_verification() -> None:
    from workers.verification import the_verification

    if the_verification.cache_info().currsize:
        the_verification().close()


def default_jobs() -> int:
    """One process a core."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
