"""Log lines that say which run, batch and worker they are about, as text or as JSON."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from store.batches import Batch
from workers.presence import worker_name

#: The header with which a message says what it is about: {"run": name, "batches": [id, ...]}.
MESSAGE = "passatk"

_batch: ContextVar[Batch | None] = ContextVar("passatk_batch", default=None)
_message: ContextVar[object] = ContextVar("passatk_message", default=None)

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


def logged_strategy(task: Any, app: Any, consumer: Any, **given: Any) -> Callable[..., Any]:
    """Celery's own way to take a message (`Task.Strategy`); what it logs meanwhile is about that message's batches."""
    from celery.worker.strategy import default

    take = default(task, app, consumer, **given)

    def taking(message: Any, *rest: Any, **named: Any) -> Any:
        token = _message.set((message.headers or {}).get(MESSAGE))
        try:
            return take(message, *rest, **named)
        finally:
            _message.reset(token)

    return taking


class _Place(logging.Filter):
    """Adds run, batch and worker to a record; None where a line is about no batch.

    `batch` is an id, or a list of ids where Celery logs about a message that names several.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        batch = _batch.get()
        if batch is not None:
            record.run, record.batch = batch.run_name, batch.batch_id
        else:
            record.run, record.batch = _named_by(_message.get() or _of_the_task())
        record.worker = worker_name()
        return True


def _of_the_task() -> object:
    """The header of the message whose task this thread has in work, as Celery keeps it; None without one."""
    # Without Celery in the process there is no task; a log line is no reason to load it.
    celery = sys.modules.get("celery")
    task = None if celery is None else celery.current_task
    return getattr(task.request, MESSAGE, None) if task else None


def _named_by(header: object) -> tuple[str | None, int | list[int] | None]:
    """Run and batches of a header, which a message of an older version lacks and anybody may have written."""
    if not isinstance(header, Mapping):
        return None, None
    run, batches = header.get("run"), header.get("batches")
    ids = [one for one in batches if isinstance(one, int)] if isinstance(batches, list) else []
    return (run if isinstance(run, str) else None), (ids[0] if len(ids) == 1 else ids or None)


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
