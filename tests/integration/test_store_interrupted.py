"""Ctrl-C between a statement that was sent and its result: no error hides it, and the store goes on working."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest

from store.connection import driver, transaction
from store.stored_samples import _reading


def _send_and_leave(raw: psycopg.Connection[Any], interruption: type[BaseException]) -> None:
    raw.pgconn.send_query(b"SELECT pg_sleep(2)")
    raise interruption


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize(("opened", "raw"), [(transaction, driver), (_reading, lambda connection: connection)])
def test_an_interrupted_statement_leaves_only_the_interruption(
    workshop: Any,
    caplog: pytest.LogCaptureFixture,
    opened: Callable[[], AbstractContextManager[Any]],
    raw: Callable[[Any], psycopg.Connection[Any]],
    interruption: type[BaseException],
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(interruption), opened() as connection:
        _send_and_leave(raw(connection), interruption)
    assert caplog.messages == []
    assert workshop.rows("SELECT 1") == [(1,)]


def test_what_an_interrupted_transaction_wrote_is_rolled_back(workshop: Any) -> None:
    run = workshop.run()

    def rename_and_leave() -> None:
        with transaction() as connection:
            driver(connection).execute(b"UPDATE store.runs SET name = 'lost' WHERE run_id = %s", [run.run_id])
            _send_and_leave(driver(connection), KeyboardInterrupt)

    with pytest.raises(KeyboardInterrupt):
        rename_and_leave()
    assert workshop.rows("SELECT name FROM store.runs") == [("small",)]
