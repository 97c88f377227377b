"""A worker that is told to stop finishes what it holds within a limit; what is left is handed back, and it goes."""

from __future__ import annotations

import logging
import os
import threading

import psutil

from store.batches import hand_back_all
from store.connection import transaction
from workers.presence import the_presence, worker_name

_LOG = logging.getLogger(__name__)

#: Seconds a worker has to finish after it was told to stop; None is without end.
_limit: list[float | None] = [None]


def set_limit(seconds: float | None) -> None:
    """How long this worker may take to finish."""
    _limit[0] = seconds


def begin() -> None:
    """Called when the worker is told to stop: it ends by itself, or by the limit."""
    if _limit[0] is not None:
        threading.Thread(target=_end_by_the_limit, args=(_limit[0],), name="passatk-drain", daemon=True).start()


def _end_by_the_limit(seconds: float) -> None:
    threading.Event().wait(seconds)
    try:
        with transaction() as connection:
            given_back = hand_back_all(connection, worker_name())
        _LOG.warning("Not finished within %g seconds: %d batches are handed back.", seconds, given_back)
        presence = the_presence()
        if presence is not None:
            presence.stop()
    except Exception:
        _LOG.warning("The store is not there: what this worker holds comes back when its leases end.")
    finally:
        logging.shutdown()
        for process in psutil.Process().children(recursive=True):
            process.kill()
        # A thread inside the engine cannot be ended; the process can.
        os._exit(0)
