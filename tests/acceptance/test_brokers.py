"""The same flow over RabbitMQ and Redis, each a real server on a free port, with a worker killed on the way."""

from __future__ import annotations

import os
import signal

import pytest

from tests.acceptance.broker_servers import BROKERS, free_port


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BROKERS)
def test_a_run_over_a_real_broker_with_a_worker_killed(house, name: str) -> None:
    with BROKERS[name]() as server:
        house.environment["PASSATK_BROKER_URL"] = server.url
        house.benchmark(6)
        house.run("brokered", 256)
        house.judge_worker()
        victim = house.draw_worker()
        house.passatk("run", "start", "brokered", "--no-wait")
        house.wait_until_leased()
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
        assert house.status("brokered")["state"] == "running"
        house.draw_worker()
        house.passatk("run", "start", "brokered")
        house.assert_whole("brokered", 6, 256)
        assert house.rows("SELECT to_regclass('pgmq.meta') IS NULL") == [(True,)]  # the embedded broker was not used


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
