"""A worker whose broker was away while it finished its work goes on when the broker is back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue

from store import embedded
from tests.acceptance.broker_servers import redis
from workers.broker import install_queues

QUEUE = Queue("work", routing_key="work")


@contextmanager
def embedded_broker() -> Iterator[tuple[Connection, Callable[[], Any], Callable[[], Any]]]:
    """Queues in a store of their own: a connection, and how to take the server away and bring it back."""
    home = Path(tempfile.mkdtemp(prefix="passatk-away-"))
    home.chmod(0o755)
    url = embedded.start(home)
    install_queues(url)
    options = {"init_extension": False, "visibility_timeout": 2, "wait_time_seconds": 1, "pool_timeout": 1}
    folder = url.partition("?host=")[2]
    words = {"conn_string": f"host={folder} user=postgres dbname=passatk", "pool_size": 2}
    try:
        with Connection("pgmq://localhost", transport_options=options | words) as connection:
            yield connection, lambda: embedded.stop(home), lambda: embedded.start(home)
    finally:
        embedded.stop(home)


@contextmanager
def redis_broker() -> Iterator[tuple[Connection, Callable[[], Any], Callable[[], Any]]]:
    """The same of Redis; it is not written to disk, so that a message in it is lost with it."""
    with redis() as server, Connection(server.url, transport_options={"visibility_timeout": 2}) as connection:
        yield connection, server.kill, server.start


def _goes_on(connection: Connection, got: list[Any]) -> bool:
    """Whether a worker gets another message, or is told that its connection is gone, which it then renews."""
    before = len(got)
    for _ in range(10):
        try:
            connection.drain_events(timeout=1)
        except TimeoutError:
            continue
        except connection.connection_errors:
            return True
        if len(got) > before:
            return True
    return False


@pytest.mark.parametrize("broker", [embedded_broker, redis_broker])
def test_what_cannot_be_acknowledged_takes_no_place(broker: Any) -> None:
    got: list[Any] = []
    with broker() as (connection, away, back):
        consumer = Consumer(connection.channel(), [QUEUE], on_message=got.append)
        with consumer:
            consumer.qos(prefetch_count=1)
            connection.Producer().publish("first", routing_key="work", declare=[QUEUE])
            assert _goes_on(connection, got)
            assert [message.payload for message in got] == ["first"]
            away()
            got[0].ack()  # does not reach the broker
            back()
            assert _goes_on(connection, got)


def test_work_that_outlives_its_connection() -> None:
    got: list[Any] = []
    with embedded_broker() as (connection, _, _):
        channel = connection.channel()
        with Consumer(channel, [QUEUE], on_message=got.append):
            connection.Producer().publish("first", routing_key="work", declare=[QUEUE])
            assert _goes_on(connection, got)
        channel.close()
        got[0].ack()
