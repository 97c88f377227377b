"""A worker says that it is here: a row when it starts, a report every few seconds, a word when it stops."""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import psutil

from store.connection import patiently, transaction
from store.worker_registry import Report, register_worker, worker_stopped, write_report
from workers.engines.door import EngineLoad
from workers.tally import TALLY, Counts

_LOG = logging.getLogger(__name__)

#: Seconds between two reports.
REPORT_SECONDS = 5.0


def host_name() -> str:
    """This machine's name."""
    return socket.gethostname()


@functools.lru_cache(maxsize=1)
def _name_of(_process: int) -> str:
    return f"{host_name()}:{os.getpid()}:{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"


def worker_name() -> str:
    """Host, process and start: of the worker this process belongs to, as batches and samples name it."""
    presence = _current[0]
    return _name_of(os.getpid()) if presence is None else presence.name


def worker_id() -> int | None:
    """The key of this worker's row; None in a process that is no worker."""
    presence = _current[0]
    return None if presence is None else presence.worker_id


class Presence:
    """Registers on opening; `start` reports in a thread of its own until `stop`."""

    def __init__(self, queues: str, device: str | None, load: Callable[[], EngineLoad | None] = lambda: None) -> None:
        self.name = _name_of(os.getpid())
        self.queues = queues
        self.device = device
        self.engine_load = load
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="passatk-presence", daemon=True)
        self._reported = Counts()
        self._at = time.monotonic()
        version = importlib.metadata.version("passatk")

        def register() -> int:
            with transaction() as connection:
                return register_worker(connection, self.name, host_name(), queues, version, device)

        self.worker_id = patiently(register)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def stop(self) -> None:
        """Report a last time and sign off."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(REPORT_SECONDS)
        try:
            self._report()
            with transaction() as connection:
                worker_stopped(connection, self.worker_id)
        except Exception:
            _LOG.warning("Could not sign off; the store is not there.")

    def _run(self) -> None:
        while not self._stopped.wait(REPORT_SECONDS):
            try:
                self._report()
            except Exception:  # the next report covers this interval too
                _LOG.warning("Could not report to the store; it is tried again.", exc_info=True)

    def _report(self) -> None:
        now, counts = time.monotonic(), TALLY.counts()
        load = self.engine_load()
        report = Report(
            seconds=now - self._at,
            samples=counts.samples - self._reported.samples,
            tokens=counts.tokens - self._reported.tokens,
            verdicts=counts.verdicts - self._reported.verdicts,
            failures=counts.failures - self._reported.failures,
            memory_bytes=resident_bytes(),
            batch_id=TALLY.held(),
        )
        if load is not None:
            report = replace(report, running=load.running, waiting=load.waiting, kv_cache_share=load.kv_cache_share)
        with transaction() as connection:
            write_report(connection, self.worker_id, report)
        # Only now: what a store that was away did not take is part of the next report.
        self._reported, self._at = counts, now


def resident_bytes() -> int:
    """Resident memory of this worker, its processes included."""
    me = psutil.Process()
    total = 0
    for process in [me, *me.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.Error:  # ended meanwhile
            continue
    return total


#: The worker that this process is or was forked from.
_current: list[Presence | None] = [None]


def announce(queues: str, device: str | None, load: Callable[[], EngineLoad | None] = lambda: None) -> Presence:
    """Register this process as a worker, before it forks."""
    presence = Presence(queues, device, load)
    _current[0] = presence
    return presence


def the_presence() -> Presence | None:
    """This worker's presence."""
    return _current[0]
