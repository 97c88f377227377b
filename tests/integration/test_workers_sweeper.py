"""The sweeper and the queue, on the embedded broker: what died is taken back, what was lost is sent again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kombu.pools
import psycopg
import pytest

from store import tickets
from store.batches import MAX_TRIES, claim
from store.connection import database_url, patiently, transaction
from store.runs import Run
from store.settings import StoreSettings
from workers import enqueue as enqueue_module
from workers import sweeper
from workers.app import app
from workers.broker import broker_options
from workers.enqueue import enqueue, queue_depth
from workers.errors import BrokerUnreachable
from workers.queues import VERIFY_QUEUE, draw_queue
from workers.settings import WorkerSettings
from workers.sweeper import Sweeper, sweep

SETTINGS = WorkerSettings(broker_url=None, lease_seconds=60, patience_seconds=30)


def _forget_connections() -> None:
    if app._pool is not None:
        app._pool.force_close_all()
    app._pool = None
    app.__dict__.pop("amqp", None)
    kombu.pools.reset()


def _use(options: dict[str, Any]) -> None:
    _forget_connections()
    app.conf.update(options)


@pytest.fixture
def broker(store: StoreSettings) -> Iterator[None]:
    """Celery's app on the embedded broker in this test's own database."""
    before = {name: app.conf.get(name) for name in ("broker_url", "broker_transport_options")}
    _use(broker_options(SETTINGS))
    yield
    _use(before)


@pytest.fixture(autouse=True)
def one_batch_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that messages can be counted; how batches are put together is tested where that is done."""
    monkeypatch.setattr(tickets, "SAMPLES_A_MESSAGE", 1)


@pytest.fixture
def run(broker: None, workshop: Any) -> Run:
    return workshop.run(problems=1, samples=64)


@pytest.fixture
def waiting(workshop: Any, run: Run) -> list[int]:
    """Ten batches that were planned a while ago."""
    ids = [workshop.batch(run, workshop.problems(run)[0], n, n + 1) for n in range(10)]
    workshop.rows("UPDATE store.batches SET created_at = now() - interval '10 minutes'")
    return ids


def _received(queue: str) -> list[tuple[str, Any]]:
    """Takes every message out of a queue: task names and arguments."""
    found = []
    with app.connection_for_read() as connection:
        box = connection.SimpleQueue(app.amqp.queues.add(queue))
        while True:
            try:
                message = box.get(block=False)
            except box.Empty:
                break
            found += [(message.headers["task"], [batch_id]) for batch_id in message.payload[0]]
            message.ack()
        box.close()
    return found


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """The call's result; fails when it hangs."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert results, "it hangs or failed"
    return results[0]


def test_messages_carry_an_id_and_nothing_else(workshop: Any, run: Run, waiting: list[int]) -> None:
    judged = workshop.batch(run, workshop.problems(run)[0], 0, 1, verifier_id=workshop.verifier())
    enqueue([*waiting[:2], judged])
    assert queue_depth(draw_queue("tiny")) == 2
    assert _received(draw_queue("tiny")) == [("passatk.generate", [id_]) for id_ in waiting[:2]]
    assert _received(VERIFY_QUEUE) == [("passatk.verify", [judged])]
    sent = workshop.rows("SELECT batch_id FROM store.batches WHERE enqueued_at IS NOT NULL ORDER BY 1")
    assert [id_ for (id_,) in sent] == sorted([*waiting[:2], judged])


def test_many_batches_are_sent_in_pieces(workshop: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enqueue_module, "_CHUNK", 4)
    ids = [workshop.batch(run, workshop.problems(run)[0], n, n + 1) for n in range(10)]
    enqueue(ids)
    assert [arguments for _, arguments in _received(draw_queue("tiny"))] == [[id_] for id_ in ids]


def test_a_queue_nobody_used_yet_is_empty(broker: None) -> None:
    assert queue_depth(draw_queue("a model/with-a_Name.that is long and odd: 模型 4.5b")) == 0


def test_a_broker_that_does_not_answer_is_one_line(workshop: Any, run: Run, waiting: list[int]) -> None:
    _use({"broker_url": "redis://127.0.0.1:1/0", "broker_transport_options": {}, "task_publish_retry": False})
    try:
        with pytest.raises(BrokerUnreachable, match="the batches are stored and are sent when it is back"):
            enqueue(waiting)
    finally:
        app.conf.update({"task_publish_retry": True})
    assert workshop.rows("SELECT count(*) FROM store.batches WHERE enqueued_at IS NOT NULL") == [(0,)]


def test_a_depth_that_cannot_be_asked_is_one_line(broker: None) -> None:
    _use({"broker_url": "redis://127.0.0.1:1/0", "broker_transport_options": {}})
    with pytest.raises(BrokerUnreachable, match="The broker does not answer"):
        queue_depth("generate.tiny")


def test_connections_to_the_broker_that_died_are_replaced(workshop: Any, run: Run, waiting: list[int]) -> None:
    enqueue(waiting[:5])
    assert queue_depth(draw_queue("tiny")) == 5
    with psycopg.connect(database_url(), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert patiently(lambda: sweep(SETTINGS)) == 5
    assert queue_depth(draw_queue("tiny")) == 10


def test_what_was_never_sent_is_sent_once(run: Run, waiting: list[int]) -> None:
    assert _within(60, lambda: sweep(SETTINGS)) == 10
    assert sweep(SETTINGS) == 0
    assert queue_depth(draw_queue("tiny")) == 10


def test_what_a_dead_worker_held_is_sent_again(workshop: Any, run: Run, waiting: list[int]) -> None:
    """Taking back and sending again happen in one pass, and neither waits for the other."""
    enqueue(waiting)
    _received(draw_queue("tiny"))
    with transaction() as connection:
        for batch_id in waiting[:3]:
            claim(connection, batch_id, "dead", 60)
    workshop.rows("UPDATE store.batches SET lease_until = now() - interval '1 second' WHERE state = 'leased'")
    assert _within(60, lambda: sweep(SETTINGS)) == 3
    assert sorted(arguments for _, arguments in _received(draw_queue("tiny"))) == [[id_] for id_ in waiting[:3]]


def test_what_stops_every_worker_is_not_sent_again(workshop: Any, run: Run, waiting: list[int]) -> None:
    enqueue(waiting)
    workshop.rows(
        "UPDATE store.batches SET state = 'leased', tries = :tries, lease_until = now() - interval '1 second'"
        " WHERE batch_id = :id",
        tries=MAX_TRIES,
        id=waiting[0],
    )
    assert _within(60, lambda: sweep(SETTINGS)) == 0
    assert workshop.one("SELECT state FROM store.batches WHERE batch_id = :id", id=waiting[0]) == "failed"


def test_messages_that_wait_are_not_sent_again(workshop: Any, run: Run, waiting: list[int]) -> None:
    """No worker at all for an hour: the queue holds one message for each batch, and keeps holding one."""
    enqueue(waiting)
    workshop.rows("UPDATE store.batches SET enqueued_at = now() - interval '1 hour'")
    for _ in range(3):
        assert sweep(SETTINGS) == 0
    assert queue_depth(draw_queue("tiny")) == 10


def test_messages_of_several_batches_that_wait_are_not_sent_again(
    workshop: Any, run: Run, waiting: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tickets, "SAMPLES_A_MESSAGE", 4)
    enqueue(waiting)
    assert queue_depth(draw_queue("tiny")) == 3
    workshop.rows("UPDATE store.batches SET enqueued_at = now() - interval '1 hour'")
    assert sweep(SETTINGS) == 0
    assert sorted(arguments for _, arguments in _received(draw_queue("tiny"))) == [[id_] for id_ in waiting]
    assert sweep(SETTINGS) == 10


def test_a_purged_queue_is_filled_again(workshop: Any, run: Run, waiting: list[int]) -> None:
    enqueue(waiting)
    workshop.rows("UPDATE store.batches SET enqueued_at = now() - interval '1 hour'")
    assert len(_received(draw_queue("tiny"))) == 10
    assert sweep(SETTINGS) == 10
    assert sweep(SETTINGS) == 0
    assert sorted(arguments for _, arguments in _received(draw_queue("tiny"))) == [[id_] for id_ in waiting]


def test_one_lost_message_among_many_is_found_when_the_queue_runs_dry(
    workshop: Any, run: Run, waiting: list[int]
) -> None:
    enqueue(waiting)
    workshop.rows("UPDATE store.batches SET enqueued_at = now() - interval '1 hour'")
    lost, *_ = (arguments[0] for _, arguments in _received(draw_queue("tiny")))
    enqueue([id_ for id_ in waiting if id_ != lost])  # nine messages for ten batches
    assert sweep(SETTINGS) == 1
    assert sorted(arguments[0] for _, arguments in _received(draw_queue("tiny"))) == waiting


def test_a_pass_counts_what_waits(workshop: Any, run: Run, waiting: list[int]) -> None:
    sweep(SETTINGS)
    sweep(SETTINGS)
    counted = workshop.rows("SELECT queue, waiting, in_work FROM analytics.queue_depths")
    assert counted == [("generate.tiny", len(waiting), 0)]


def test_sweepers_at_once_send_once(workshop: Any, run: Run, waiting: list[int]) -> None:
    def both() -> list[int]:
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: sweep(SETTINGS), range(4)))

    assert sum(_within(90, both)) == 10
    assert queue_depth(draw_queue("tiny")) == 10


def test_the_thread_survives_an_error_and_stops_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def flaky(_: WorkerSettings) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("the broker hiccups")
        return 0

    monkeypatch.setattr(sweeper, "sweep", flaky)
    thread = Sweeper(SETTINGS, every_seconds=0.05)
    thread.start()
    deadline = time.monotonic() + 10
    while len(calls) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    thread.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert len(calls) >= 3
