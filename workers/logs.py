"""Log lines that say which run, batch and worker they are about, as text or as JSON."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

from store.batches import Batch
from workers.presence import worker_name

_batch: ContextVar[Batch | None] = ContextVar("passatk_batch", default=None)

_TEXT = "%(asctime)s %(levelname)s %(worker)s run=%(run)s batch=%(batch)s %(message)s"
_FIELDS = ["asctime", "levelname", "name", "worker", "run", "batch", "message"]


@contextlib.contextmanager
def about(batch: Batch) -> Iterator[None]:
    """Lines logged in the block are about this batch."""
    token = _batch.set(batch)
    try:
        yield
    finally:
        _batch.reset(token)


class _Place(logging.Filter):
    """Adds run, batch and worker to a record; None where a line is about no batch."""

    def filter(self, record: logging.LogRecord) -> bool:
        batch = _batch.get()
        record.run = None if batch is None else batch.run_name
        record.batch = None if batch is None else batch.batch_id
        record.worker = worker_name()
        return True


def set_up(level: str, as_json: bool) -> None:
    """Log to standard error, one line an event; Celery is kept from setting up its own."""
    from celery.signals import setup_logging

    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Place())
    if as_json:
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        handler.setFormatter(JsonFormatter(_FIELDS, rename_fields=names))
    else:
        handler.setFormatter(logging.Formatter(_TEXT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    setup_logging.connect(_leave_it, weak=False)


def _leave_it(**_: object) -> None:
    """A receiver is all that Celery asks for."""
