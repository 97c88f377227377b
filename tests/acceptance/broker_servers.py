"""Real broker servers of a test's own, on free ports, that can be killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class BrokerServer:
    """A server process with its address."""

    url: str
    command: list[str]
    port: int
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        log = self.folder / "server.log"
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                self.command, env=os.environ | self.environment, stdout=stream, stderr=stream, start_new_session=True
            )
        deadline = time.monotonic() + 120
        while not self._listens():
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)

    def kill(self) -> None:
        """As a crash: without a word."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            deadline = time.monotonic() + 60
            while self._listens():  # what the process started dies a moment later, and must not be taken for the next
                assert time.monotonic() < deadline, f"port {self.port} still listens"
                time.sleep(0.05)

    def restart(self) -> None:
        """Crash and come back."""
        self.kill()
        self.start()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextlib.contextmanager
def redis() -> Iterator[BrokerServer]:
    """A real Redis, which forgets everything when it is killed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine: apt-get install redis-server")
    folder, port = Path(tempfile.mkdtemp(prefix="passatk-redis-")), free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with _running(BrokerServer(f"redis://127.0.0.1:{port}/0", command, port, folder)) as server:
        yield server


@contextlib.contextmanager
def rabbitmq() -> Iterator[BrokerServer]:
    """A real RabbitMQ."""
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
    url = f"amqp://guest:guest@127.0.0.1:{port}//"
    try:
        with _running(BrokerServer(url, [str(_RABBITMQ)], port, folder, environment)) as server:
            yield server
    finally:  # Erlang's name server outlives the node that started it
        command = ["epmd", "-port", str(epmd), "-kill"]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def queue_types(server: BrokerServer) -> dict[str, str]:
    """The queues of a running RabbitMQ with their types, as its own administrator sees them."""
    program, node = _RABBITMQ.with_name("rabbitmqctl"), server.environment["RABBITMQ_NODENAME"]
    done = subprocess.run(
        [str(program), "--node", node, "list_queues", "name", "type", "--formatter", "json", "--silent"],
        env=os.environ | server.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return {queue["name"]: queue["type"] for queue in json.loads(done.stdout)}


@contextlib.contextmanager
def _running(server: BrokerServer) -> Iterator[BrokerServer]:
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


BROKERS: dict[str, Callable[[], contextlib.AbstractContextManager[BrokerServer]]] = {
    "redis": redis,
    "rabbitmq": rabbitmq,
}
