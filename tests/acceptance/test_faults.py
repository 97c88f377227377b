"""Faults: in the end every (run, problem, index) has exactly one sample and every sample its verdicts.

Where the fault is the queue's or the store's, a stand-in draws: what it needs of an engine is the time that it takes.
"""

from __future__ import annotations

import os
import signal

import psycopg
import pytest

from tests.acceptance.conftest import PASSATK

PROBLEMS, SAMPLES = 6, 256


def _begin(house, name: str = "faulty") -> None:
    house.benchmark(PROBLEMS)
    house.run(name, SAMPLES)


@pytest.mark.timeout(900)
def test_a_worker_killed_in_the_middle_of_a_batch(house) -> None:
    _begin(house)
    house.run("undisturbed", SAMPLES)
    house.judge_worker()
    victim = house.draw_worker()
    house.passatk("run", "start", "faulty", "--no-wait")
    house.wait_until_leased()
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    assert house.status("faulty")["state"] == "running"
    assert house.status("faulty")["samples"] < PROBLEMS * SAMPLES
    house.draw_worker()
    house.passatk("run", "start", "faulty")
    house.assert_whole("faulty", PROBLEMS, SAMPLES)
    assert house.rows("SELECT max(tries) FROM store.batches")[0][0] >= 2
    # Seeds follow from the run's settings and the index: undisturbed, the same settings draw the same samples.
    house.passatk("run", "start", "undisturbed")
    house.assert_whole("undisturbed", PROBLEMS, SAMPLES)
    assert house.texts("undisturbed") == house.texts("faulty")


@pytest.mark.timeout(900)
def test_messages_delivered_twice_and_lost(house) -> None:
    _begin(house)
    house.passatk("run", "start", "faulty", "--no-wait")
    with psycopg.connect(house.url(), autocommit=True) as connection:
        queue = "pgmq.q_generate_arithmetic"
        sent = connection.execute(f"SELECT count(*) FROM {queue}".encode()).fetchone()  # noqa: S608
        assert sent == (PROBLEMS * SAMPLES // 64,)
        # Half of the messages are lost, the other half is there three times.
        connection.execute(f"DELETE FROM {queue} WHERE msg_id % 2 = 0".encode())  # noqa: S608
        for _ in range(2):
            copies = f"(SELECT message FROM {queue} LIMIT 9) AS m"  # noqa: S608
            connection.execute(f"SELECT pgmq.send('generate_arithmetic', message) FROM {copies}".encode())  # noqa: S608
    house.standin_worker()
    house.judge_worker()
    house.passatk("run", "watch", "faulty")
    house.assert_whole("faulty", PROBLEMS, SAMPLES)


@pytest.mark.timeout(900)
def test_every_message_lost(house) -> None:
    _begin(house)
    house.passatk("run", "start", "faulty", "--no-wait")
    with psycopg.connect(house.url(), autocommit=True) as connection:
        connection.execute("DELETE FROM pgmq.q_generate_arithmetic")
    house.standin_worker()
    house.judge_worker()
    house.passatk("run", "watch", "faulty")
    house.assert_whole("faulty", PROBLEMS, SAMPLES)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgres_restarted_during_a_run(house, mode: str) -> None:
    _begin(house)
    house.standin_worker("--concurrency", "4", seconds=3)
    house.judge_worker()
    house.passatk("run", "start", "faulty", "--no-wait")
    watcher = house.start(str(PASSATK), "run", "watch", "faulty")
    house.wait_for(lambda: bool(house.rows("SELECT 1 FROM store.samples LIMIT 1")))
    house.wait_for(lambda: "samples/s" in house.logs() or watcher.poll() is not None)
    if mode == "fast":
        house.passatk("store", "down")
    else:
        pid = int((house.home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGQUIT)  # immediate: as a crash, without saying goodbye
    house.wait_for(lambda: not _pid_lives(house))
    house.passatk("store", "up")
    house.passatk("run", "start", "faulty")
    house.assert_whole("faulty", PROBLEMS, SAMPLES)
    assert watcher.wait(120) == 0, house.logs()  # it waited for the store and watched on


def _pid_lives(house) -> bool:
    try:
        os.kill(int((house.home / "postgres" / "postmaster.pid").read_text().splitlines()[0]), 0)
    except (OSError, ValueError, IndexError):
        return False
    return True


@pytest.mark.timeout(900)
def test_a_prompt_longer_than_the_context_is_named(house) -> None:
    problems = house.home / "long.jsonl"
    problems.write_text(
        '{"id": "short", "prompt": "2+2?", "answer": "4"}\n{"id": "long", "prompt": "%s", "answer": "4"}\n'
        % ("How many? " * 2000)
    )
    house.passatk("benchmark", "import", str(problems), "--name", "long", "--format", "jsonl")
    house.run("long", 4, benchmark="long")
    house.standin_worker()
    house.judge_worker()
    line = house.error("run", "start", "long")
    assert "long (" in line
    assert "tokens" in line
    assert house.status("long")["samples"] == 0  # refused by name before any work


class TestOneClearLine:
    """What a person gets wrong is said in one line, and nothing is stored."""

    def test_unknown_model_path(self, house) -> None:
        house.benchmark(1)
        line = house.error("run", "create", "--benchmark", "arithmetic", "--model", "/no/such/model", "--samples", "2")
        assert "/no/such/model" in line
        assert "/no/such/model" in house.error("worker", "generate", "--model", "/no/such/model")

    def test_a_folder_that_is_no_model(self, house) -> None:
        folder = house.home / "empty"
        folder.mkdir()
        assert "config.json" in house.error("worker", "generate", "--model", f"empty={folder}")

    def test_empty_benchmark(self, house) -> None:
        empty = house.home / "empty.jsonl"
        empty.write_text("\n")
        line = house.error("benchmark", "import", str(empty), "--name", "empty", "--format", "jsonl")
        assert "holds no problem" in line

    def test_missing_price_and_k_above_n(self, house) -> None:
        samples = house.home / "samples.jsonl"
        samples.write_text('{"task_id": "arith-001", "completion": "#### 1"}\n')
        house.benchmark(1)
        house.passatk(
            "samples",
            "import",
            str(samples),
            "--run",
            "r",
            "--benchmark",
            "arithmetic",
            "--model",
            "m",
            "--format",
            "jsonl",
        )
        house.passatk("verify", "--run", "r")
        house.passatk("mirror", "refresh")
        assert "passatk price set" in house.error("query", "cost", "--run", "r", "--k", "1")
        assert "1" in house.error("query", "coverage", "--run", "r", "--k", "2")

    def test_nothing_there_yet(self, house) -> None:
        assert "passatk mirror refresh" in house.error("query", "coverage", "--run", "r")
        assert 'No run "r"' in house.error("run", "start", "r")
        assert "passatk benchmark import" in house.error(
            "run", "create", "--benchmark", "b", "--model", "m", "--samples", "1"
        )
        assert 'No run "r"' in house.error("verify", "--run", "r")
