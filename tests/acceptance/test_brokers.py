"""The same flow over RabbitMQ and Redis, each a real server on a free port, with a worker killed on the way.

The worker that is killed has a stand-in for vLLM; the one that draws the rest has vLLM itself over RabbitMQ, whose
connection lives by heartbeats that the engine must not starve.
"""

from __future__ import annotations

import os
import signal
import ssl

import pytest
from kombu import Connection

from store.tickets import SAMPLES_A_MESSAGE
from tests.acceptance.broker_servers import BROKERS, free_port, queue_types, rabbitmq
from workers.app import app
from workers.broker import VISIBILITY_SECONDS, broker_options
from workers.settings import WorkerSettings

SAMPLES = 128


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BROKERS)
def test_a_run_over_a_real_broker_with_a_worker_killed(house, name: str) -> None:
    with BROKERS[name]() as server:
        house.environment["PASSATK_BROKER_URL"] = server.url
        house.benchmark(6)
        house.run("brokered", SAMPLES)
        house.judge_worker()
        victim = house.standin_worker("--concurrency", "4", seconds=60)  # still at work when it is looked at
        house.passatk("run", "start", "brokered", "--no-wait", "--batch", "16")
        house.wait_until_leased()
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        assert house.status("brokered")["state"] == "running"
        if name == "rabbitmq":
            house.draw_worker()
        else:
            house.standin_worker()
        house.passatk("run", "start", "brokered")
        house.assert_whole("brokered", 6, SAMPLES)
        assert house.rows("SELECT to_regclass('pgmq.meta') IS NULL") == [(True,)]  # the embedded broker was not used
        if name == "rabbitmq":  # these two, and none that Celery makes for messages sent for later
            assert queue_types(server) == {"generate.arithmetic": "quorum", "verify": "quorum"}


@pytest.mark.timeout(300)
def test_a_queue_that_was_made_as_another_kind_is_one_clear_line(house) -> None:
    with rabbitmq() as server:
        with Connection(server.url) as connection:
            connection.default_channel.queue_declare("generate.arithmetic", durable=True, auto_delete=False)
            connection.default_channel.queue_declare("verify", durable=True, auto_delete=False)
        assert queue_types(server) == {"generate.arithmetic": "classic", "verify": "classic"}
        house.environment["PASSATK_BROKER_URL"] = server.url
        house.benchmark(1)
        house.run("r", 1)
        for line in (house.error("run", "start", "r"), house.error("worker", "verify", "--no-programs")):
            assert "no quorum queue" in line
            assert "rabbitmqctl delete_queue" in line
        told = house.passatk("doctor", "--quick", status=1).stdout
        assert "no quorum queue" in told


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("amqps://user@mq.example.org//", {"confirm_publish": True}),
        ("redis://localhost/0", {"visibility_timeout": VISIBILITY_SECONDS}),
        ("rediss://localhost/0", {"visibility_timeout": VISIBILITY_SECONDS}),
    ],
)
def test_what_long_tasks_need_is_set(url: str, transport: dict[str, object]) -> None:
    options = broker_options(WorkerSettings(broker_url=url, lease_seconds=60, patience_seconds=30))
    secured = {"broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_REQUIRED}} if url.startswith("rediss") else {}
    assert options == {"broker_url": url, "broker_transport_options": transport} | secured
    conf = app.conf
    assert (conf.task_acks_late, conf.worker_prefetch_multiplier, conf.task_ignore_result) == (True, 1, True)
    # A message is at most so much work: far from RabbitMQ's half hour for one that is not acknowledged.
    assert SAMPLES_A_MESSAGE <= 64


def test_an_unknown_broker_is_one_clear_line(house) -> None:
    house.environment["PASSATK_BROKER_URL"] = "carrier-pigeon://roof"
    house.benchmark(1)
    house.run("r", 1)
    assert "carrier-pigeon" in house.error("run", "start", "r")


def test_a_broker_that_does_not_answer_is_one_clear_line(house) -> None:
    house.environment["PASSATK_BROKER_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    house.benchmark(1)
    house.run("r", 1)
    assert "broker does not answer" in house.error("run", "start", "r")
