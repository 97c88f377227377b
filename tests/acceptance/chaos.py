"""Chaos with a fixed seed: what can go wrong between store, broker and workers goes wrong, again and again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import psutil
import psycopg
from kombu import Connection

from tests.acceptance.broker_servers import BrokerServer
from tests.acceptance.conftest import EXAMPLE, PASSATK, STANDIN, House

PROBLEMS, SAMPLES, BATCH = 5, 32, 4
_SWEEPER = (
    "from workers.settings import WorkerSettings; from workers.sweeper import Sweeper;"
    " Sweeper(WorkerSettings.from_environment(), every_seconds=0.3).run()"
)


class Queues(Protocol):
    """What may happen to the messages of a broker."""

    def flush(self) -> None:
        """Lose all."""

    def double(self, chance: random.Random) -> None:
        """Deliver some of those that wait once more."""

    def drop(self, chance: random.Random) -> None:
        """Lose some."""

    def restart(self) -> None:
        """Crash the broker and bring it back."""


class EmbeddedQueues:
    """Queues inside the store; they restart with it."""

    def __init__(self, house: House) -> None:
        self._house = house

    def _each(self, statement: str) -> None:
        with psycopg.connect(self._house.url(), autocommit=True) as connection:
            for (name,) in connection.execute("SELECT queue_name FROM pgmq.meta").fetchall():
                connection.execute(statement.format(name=name).encode())

    def flush(self) -> None:
        self._each("DELETE FROM pgmq.q_{name}")

    def double(self, chance: random.Random) -> None:
        self._each("SELECT pgmq.send('{name}', message) FROM (SELECT message FROM pgmq.q_{name} LIMIT 20) AS m")

    def drop(self, chance: random.Random) -> None:
        self._each(f"DELETE FROM pgmq.q_{{name}} WHERE msg_id % 3 = {chance.randrange(3)}")  # noqa: S608 - a number

    def restart(self) -> None:
        self.flush()


class ServerQueues:
    """Queues of a broker's server, reached as any client reaches them."""

    names = ("generate.arithmetic", "verify")

    def __init__(self, server: BrokerServer) -> None:
        self._server = server

    def _each(self, treat: Callable[[Any, str, list[Any]], None]) -> None:
        with Connection(self._server.url, transport_options={"confirm_publish": True}) as connection:
            for name in self.names:
                channel = connection.channel()
                waiting = []
                with contextlib.suppress(Exception):  # a queue that nobody declared yet
                    while (message := channel.basic_get(name, no_ack=True)) is not None and len(waiting) < 200:
                        waiting.append(message)
                    treat(connection, name, waiting)

    def _put(self, connection: Any, name: str, messages: list[Any]) -> None:
        producer = connection.Producer()
        for message in messages:
            properties = {key: message.properties[key] for key in ("correlation_id",) if key in message.properties}
            producer.publish(
                message.body,
                routing_key=name,
                exchange="",
                headers=message.headers,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                **properties,
            )

    def flush(self) -> None:
        self._each(lambda connection, name, messages: None)

    def double(self, chance: random.Random) -> None:
        self._each(lambda connection, name, messages: self._put(connection, name, messages * 2))

    def drop(self, chance: random.Random) -> None:
        def some(connection: Any, name: str, messages: list[Any]) -> None:
            self._put(connection, name, [message for message in messages if chance.random() < 0.5])

        self._each(some)

    def restart(self) -> None:
        self._server.restart()


class Chaos:
    """A house whose workers, messages, broker and store are disturbed; `round` draws one run through it."""

    def __init__(self, house: House, queues: Queues, seed: int, vllm: bool = False) -> None:
        self.house = house
        self.queues = queues
        self.chance = random.Random(seed)
        self.vllm = vllm
        self.drawers: list[subprocess.Popen[bytes]] = []
        self.judges: list[subprocess.Popen[bytes]] = []
        self.told: list[str] = []
        house.benchmark(PROBLEMS)
        for _ in range(2):
            house.start(sys.executable, "-c", _SWEEPER)  # beside those of the workers: several sweep at once

    def draw_worker(self) -> subprocess.Popen[bytes]:
        """A drawing worker; with vLLM, or with the stand-in for it."""
        words = ["worker", "generate", "--model", f"arithmetic={EXAMPLE / 'model'}", "--concurrency", "4"]
        start = [str(PASSATK)] if self.vllm else [sys.executable, str(STANDIN)]
        return self.house.start(*start, *words)

    def staffed(self) -> None:
        """Workers that died are replaced, as a supervisor would."""
        self.drawers = [one for one in self.drawers if one.poll() is None]
        self.judges = [one for one in self.judges if one.poll() is None]
        while len(self.drawers) < (1 if self.vllm else 2):
            self.drawers.append(self.draw_worker())
        while len(self.judges) < 1:
            self.judges.append(self.house.judge_worker())

    def undisturbed(self) -> dict[tuple[str, int], str]:
        """The texts of a run that nothing happens to."""
        self.staffed()
        self._begin("undisturbed")
        self._finish("undisturbed")
        return self.house.texts("undisturbed")

    def round(self, number: int) -> str:
        """One run, disturbed about five times; returns its name once it is complete."""
        name = f"round-{number}"
        self.staffed()
        self._begin(name)
        for _ in range(self.chance.randrange(3, 7)):
            time.sleep(self.chance.uniform(0.1, 0.7))
            fault = self.chance.choice(self._faults())
            self.told.append(f"{name}: {fault.__name__}")
            fault()
            self.staffed()
        self._finish(name)
        return name

    def _faults(self) -> list[Callable[[], None]]:
        return [
            self.kill_a_drawer,
            self.kill_a_drawer,
            self.kill_a_judge,
            self.flush_the_broker,
            self.double_messages,
            self.drop_messages,
            self.restart_the_broker,
            self.restart_the_store,
        ]

    def kill_a_drawer(self) -> None:
        self._kill(self.chance.choice(self.drawers))

    def kill_a_judge(self) -> None:
        self._kill(self.chance.choice(self.judges))

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def flush_the_broker(self) -> None:
        self.queues.flush()

    def double_messages(self) -> None:
        self.queues.double(self.chance)

    def drop_messages(self) -> None:
        self.queues.drop(self.chance)

    def restart_the_broker(self) -> None:
        self.queues.restart()

    def restart_the_store(self) -> None:
        """Now and then as a crash."""
        lock = self.house.home / "postgres" / "postmaster.pid"
        if self.chance.random() < 0.5:
            self.house.passatk("store", "down")
        else:
            os.kill(int(lock.read_text().splitlines()[0]), signal.SIGQUIT)
            # It waits for its processes, and no signal ends one that waits for a busy disk.
            self.house.wait_for(lambda: not lock.exists(), 300, self._server_processes)
        self.house.passatk("store", "up")

    def _server_processes(self) -> str:
        """How the processes of the store's server are: one in disk sleep cannot be ended."""
        listed = psutil.process_iter(["pid", "ppid", "status", "cmdline"])
        return "\n".join(str(one.info) for one in listed if "postgres" in " ".join(one.info["cmdline"] or []))

    def _begin(self, name: str) -> None:
        options = ["--samples", str(SAMPLES), "--max-tokens", "60", "--verifier", "chain", "--verifier", "answer"]
        model = f"arithmetic={EXAMPLE / 'model'}"
        self.house.passatk("run", "create", "--name", name, "--benchmark", "arithmetic", "--model", model, *options)
        self.house.passatk("run", "start", name, "--no-wait", "--batch", str(BATCH))

    def _finish(self, name: str) -> None:
        def complete() -> bool:
            self.staffed()
            with contextlib.suppress(psycopg.OperationalError):
                query = (
                    "SELECT count(*) FILTER (WHERE b.state IN ('ready', 'leased')), count(*) FILTER (WHERE b.state = "
                    "'failed') FROM store.batches AS b JOIN store.runs AS r USING (run_id) WHERE r.name = %s"
                )
                ((left, failed),) = self.house.rows(query, name)
                assert not failed, f"{failed} batches were set aside\n{self.house.logs()}"
                return bool(left == 0)
            return False

        self.house.wait_for(complete, 240, self.state)

    def state(self) -> str:
        """What there is to see when a round does not end."""
        waiting = self.house.rows(
            "SELECT r.name, b.verifier_id, b.state, b.tries, count(*), min(b.enqueued_at), max(b.leased_at), now() "
            "FROM store.batches AS b JOIN store.runs AS r USING (run_id) WHERE b.state <> 'done' GROUP BY 1, 2, 3, 4"
        )
        alive = [process.pid for process in [*self.drawers, *self.judges] if process.poll() is None]
        return f"batches: {waiting}\nworkers: {alive}\nfaults: {self.told}"
