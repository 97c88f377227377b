"""Several hosts: store and broker apart, two that draw, one that judges; one is cut off and comes back."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.acceptance.conftest import EXAMPLE, PASSATK, ROOT, STANDIN
from tests.acceptance.hosts import Network

PROBLEMS, SAMPLES = 6, 256


@pytest.fixture
def network() -> Iterator[Network]:
    opened = Network()
    try:
        yield opened
    finally:
        opened.close()


def _until(met: Any, network: Network, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, network.logs()
        time.sleep(0.2)


@pytest.mark.timeout(900)
def test_a_host_that_is_cut_off_and_comes_back(network: Network) -> None:
    for name in ("store", "broker", "draw1", "draw2", "judge"):
        network.host(name)
    socket = network.postgres("store")
    network.redis("broker")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PASSATK_")}
    environment = kept | {
        "PASSATK_DATABASE_URL": f"postgresql://postgres@{network.hosts['store']}:5432/postgres",
        "PASSATK_BROKER_URL": f"redis://{network.hosts['broker']}:6379/0",
        "PASSATK_HOME": str(network.folder / "home"),
        "PASSATK_LEASE_SECONDS": "4",
        "PASSATK_PATIENCE_SECONDS": "4",
        "STANDIN_SECONDS": "3",
    }

    def rows(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(host=str(socket), user="postgres", dbname="postgres") as connection:
            return connection.execute(query.encode()).fetchall()

    def passatk(*words: str) -> str:
        return network.run("judge", [str(PASSATK), *words], environment)

    passatk("store", "up")
    problems = network.folder / "problems.jsonl"
    problems.write_text("\n".join((EXAMPLE / "problems.jsonl").read_text().splitlines()[:PROBLEMS]))
    passatk("benchmark", "import", str(problems), "--name", "arithmetic", "--format", "jsonl")
    options = ["--samples", str(SAMPLES), "--verifier", "chain", "--verifier", "answer"]
    passatk(
        "run",
        "create",
        "--name",
        "far",
        "--benchmark",
        "arithmetic",
        "--model",
        f"arithmetic={EXAMPLE / 'model'}",
        *options,
    )
    environment_here = environment | {"PYTHONPATH": str(ROOT)}
    for name in ("draw1", "draw2"):
        words = ["worker", "generate", "--model", "arithmetic", "--concurrency", "2"]
        network.start(name, [sys.executable, str(STANDIN), *words], environment_here)
    network.start("judge", [str(PASSATK), "worker", "verify", "--concurrency", "1"], environment)
    _until(lambda: rows("SELECT count(*) FROM store.workers") == [(3,)], network)
    passatk("run", "start", "far", "--no-wait", "--batch", "4")

    holders = "SELECT count(DISTINCT leased_by) FROM store.batches WHERE state = 'leased' AND verifier_id IS NULL"
    _until(lambda: rows(holders) == [(2,)], network)
    network.cut("draw1")
    cut_at = rows("SELECT now()::text, count(*) FROM store.samples")
    # What it held is drawn elsewhere while it is away.
    _until(
        lambda: rows("SELECT count(*) > 0 FROM store.batches WHERE tries > 1 AND state = 'done'") == [(True,)], network
    )
    assert rows("SELECT count(*) FROM store.samples")[0][0] > cut_at[0][1]
    network.mend("draw1")

    def finished() -> bool:
        return rows("SELECT count(*) FROM store.batches WHERE state <> 'done'") == [(0,)]

    _until(finished, network)
    wanted = PROBLEMS * SAMPLES
    counted = "SELECT count(*), count(DISTINCT (problem_id, sample_index)) FROM store."
    assert rows(f"{counted}samples") == [(wanted, wanted)]
    assert rows(f"{counted}completions") == [(wanted, wanted)]
    assert rows("SELECT count(*), count(DISTINCT (problem_id, sample_index, verifier_id)) FROM store.verdicts") == [
        (2 * wanted, 2 * wanted)
    ]
    # And it is back among the others: all three were heard of after the cable was put back.
    _until(
        lambda: rows("SELECT count(*) FROM store.workers WHERE seen_at > now() - interval '10 seconds'") == [(3,)],
        network,
    )
    assert "ok    store" in passatk("doctor", "--quick")
