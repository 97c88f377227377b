"""Which run and batch a log line names: the batch in work, else the message that Celery is busy with."""

from __future__ import annotations

import io
import json
import logging
from types import SimpleNamespace

import pytest

from store.batches import Batch
from workers import logs
from workers.app import app
from workers.tasks import generate, verify

HEADER = {"run": "one", "batches": [7, 8]}


@pytest.fixture
def said(monkeypatch):
    """Logs a line and gives back what was written about it."""
    root, heard = logging.getLogger(), io.StringIO()
    monkeypatch.setattr("sys.stderr", heard)
    before, level = root.handlers[:], root.level
    logs.set_up("INFO", as_json=True)

    def say(text: str = "words") -> dict:
        logging.getLogger("any").info(text)
        return json.loads(heard.getvalue().splitlines()[-1])

    yield say
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_about_nothing_names_nothing(said) -> None:
    line = said()
    assert (line["run"], line["batch"]) == (None, None)


@pytest.mark.parametrize(
    ("header", "run", "batch"),
    [
        (HEADER, "one", [7, 8]),
        ({"run": "one", "batches": [7]}, "one", 7),
        (None, None, None),  # from a sender of an older version
        ({"run": 3, "batches": "many"}, None, None),
        ([1], None, None),
    ],
)
def test_lines_of_a_task_in_work_name_its_message(said, header, run, batch) -> None:
    verify.push_request(**({} if header is None else {logs.MESSAGE: header}))
    from celery._state import _task_stack

    _task_stack.push(verify)
    try:
        line = said()
        with logs.about(Batch(9, 1, 1, None, 0, 0, 4, 0, "two")):
            closer = said()
    finally:
        _task_stack.pop()
        verify.pop_request()
    assert (line["run"], line["batch"]) == (run, batch)
    assert (closer["run"], closer["batch"]) == ("two", 9)


def test_celerys_line_about_a_message_that_comes_names_it(said, monkeypatch) -> None:
    """The strategy that Celery is given is its own with the message known while it runs."""
    heard = []
    monkeypatch.setattr("celery.worker.strategy.default", lambda *_, **__: lambda *given: heard.append((given, said())))
    take = generate.start_strategy(app, SimpleNamespace())
    message = SimpleNamespace(headers={logs.MESSAGE: HEADER})
    take(message, "body", "ack", "reject", [])
    (((came, *rest), line),) = heard
    assert came is message
    assert rest == ["body", "ack", "reject", []]
    assert (line["run"], line["batch"]) == ("one", [7, 8])
    assert said()["run"] is None  # and behind it no more
