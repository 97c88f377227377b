"""The same flow over RabbitMQ and Redis, each a real server on a free port, with a worker killed on the way."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _server(command: list[str], port: int, environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 90
        while not _listens(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """The URL of a real Redis."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine: apt-get install redis-server")
    folder, port = Path(tempfile.mkdtemp(prefix="passatk-redis-")), free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with _server(command, port, {}, folder / "log"):
        yield f"redis://127.0.0.1:{port}/0"
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def rabbitmq() -> Iterator[str]:
    """The URL of a real RabbitMQ."""
    if not _RABBITMQ.exists():
        pytest.skip("no rabbitmq-server on this machine: apt-get install rabbitmq-server")
    folder, port, epmd = Path(tempfile.mkdtemp(prefix="passatk-rabbitmq-")), free_port(), free_port()
    environment = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"passatk{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
    }
    (folder / "plugins").write_text("[].")
    with _server([str(_RABBITMQ)], port, environment, folder / "server.log"):
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    subprocess.run(["pkill", "-f", f"epmd.*{epmd}"], check=False)
    shutil.rmtree(folder, ignore_errors=True)


BROKERS = {"redis": redis, "rabbitmq": rabbitmq}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BROKERS)
def test_a_run_over_a_real_broker_with_a_worker_killed(house, name: str) -> None:
    with BROKERS[name]() as url:
        house.environment["PASSATK_BROKER_URL"] = url
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
