"""Workers as processes: drained when told to stop, scraped by Prometheus, read by machines, listed by people."""

from __future__ import annotations

import json
import signal
import sys
import urllib.request

import pytest

from tests.acceptance.broker_servers import free_port
from tests.acceptance.conftest import STANDIN

PROBLEMS, SAMPLES = 3, 192


def batches_of(line: dict) -> list[int]:
    """One id stands alone, several in a list."""
    return line["batch"] if isinstance(line["batch"], list) else [line["batch"]]


def _begin(house) -> None:
    house.benchmark(PROBLEMS)
    house.run("watched", SAMPLES)
    house.passatk("run", "start", "watched", "--no-wait", "--batch", "4")


def _scraped(port: int) -> dict[str, float]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


@pytest.mark.timeout(600)
def test_what_does_not_finish_in_time_is_handed_back(house) -> None:
    house.environment["PASSATK_LEASE_SECONDS"] = "600"  # nothing comes back by its lease within this test
    _begin(house)
    slow = house.standin_worker("--drain-seconds", "1", seconds=3600)
    house.wait_until_leased()
    slow.send_signal(signal.SIGTERM)
    assert slow.wait(60) == 0
    left = house.rows("SELECT state, max(tries), count(*) FROM store.batches GROUP BY state")
    assert left == [("ready", 0, PROBLEMS * SAMPLES // 4)]  # and it does not count as a try
    house.standin_worker()
    house.judge_worker()
    house.passatk("run", "watch", "watched")
    house.assert_whole("watched", PROBLEMS, SAMPLES)


@pytest.mark.timeout(600)
def test_a_worker_told_to_stop_finishes_signs_off_and_can_be_watched(house) -> None:
    _begin(house)
    port, of_the_store = free_port(), free_port()
    options = ["--concurrency", "2", "--metrics-port", str(port), "--log-format", "json"]
    worker = house.standin_worker(*options, seconds=6, PASSATK_LOG_LEVEL="INFO")
    house.start(sys.executable, str(STANDIN), "metrics", "serve", "--port", str(of_the_store))
    house.wait_for(lambda: _scraped(port).get("passatk_worker_samples_total", 0) > 0)
    house.wait_for(lambda: _scraped(of_the_store).get("passatk_store_up") == 1)
    seen = _scraped(of_the_store)
    assert seen['passatk_batches{queue="generate arithmetic",state="ready"}'] > 0
    assert seen['passatk_batches{queue="verify",state="ready"}'] > 0
    assert seen['passatk_workers{queues="generate.arithmetic"}'] == 1
    (listed,) = json.loads(house.passatk("worker", "list", "--format", "json").stdout)
    assert (listed["state"], listed["queues"]) == ("running", "generate.arithmetic")

    house.wait_until_leased()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert house.rows("SELECT count(*) FROM store.batches WHERE state = 'leased'") == [(0,)]
    ((signed_off, samples),) = house.rows(
        "SELECT stopped_at IS NOT NULL, (SELECT sum(samples) FROM store.worker_reports) FROM store.workers"
    )
    assert signed_off
    assert house.rows("SELECT count(*) FROM store.samples") == [(samples,)]  # every sample is in a report

    lines = [line for line in (house.home / "worker-0.log").read_text().splitlines() if line.startswith("{")]
    drawn = [json.loads(line) for line in lines if "Drew samples" in line]
    assert len(drawn) * 4 == samples
    assert {line["run"] for line in drawn} == {"watched"}
    assert {line["worker"] for line in drawn} == {listed["name"]}
    assert all(isinstance(line["batch"], int) for line in drawn)
    # What Celery itself says of a message names the same: when it comes, and when its task is done.
    of_celery = [json.loads(line) for line in lines if '"Task passatk.generate[' in line]
    for words in ("received", "succeeded"):
        said = [line for line in of_celery if f"] {words}" in line["message"]]
        assert {line["run"] for line in said} == {"watched"}, words
        assert {one for line in said for one in batches_of(line)} >= {line["batch"] for line in drawn}, words


@pytest.mark.timeout(600)
def test_an_urgent_run_overtakes_and_runs_are_held(house) -> None:
    _begin(house)
    model = f"arithmetic={house.model_folder}"
    options = ["--samples", "8", "--max-tokens", "120", "--seed", "7", "--verifier", "chain", "--verifier", "answer"]
    create = ["run", "create", "--name", "urgent", "--benchmark", "arithmetic", "--model", model, "--priority", "5"]
    house.passatk(*create, *options)
    house.passatk("run", "start", "urgent", "--no-wait", "--batch", "4")
    house.passatk("run", "pause", "urgent")
    assert "paused" in house.passatk("run", "status", "urgent").stdout
    house.passatk("run", "resume", "urgent")
    house.standin_worker("--concurrency", "1", seconds=0.1)
    house.judge_worker()
    for name in ("watched", "urgent"):
        house.passatk("run", "watch", name)
    order = house.rows(
        "SELECT max(b.leased_at) FILTER (WHERE r.name = 'urgent') "
        "<= min(b.leased_at) FILTER (WHERE r.name = 'watched') "
        "FROM store.batches AS b JOIN store.runs AS r USING (run_id) WHERE b.verifier_id IS NULL"
    )
    assert order == [(True,)]
    assert house.passatk("run", "failed", "urgent").stdout.strip() == "Run urgent has nothing set aside."


@pytest.mark.timeout(600)
def test_two_models_draw_at_once_each_from_its_own_queue(house) -> None:
    """Runs of two models under way together: every sample is drawn by the worker that holds its run's model."""
    house.benchmark(PROBLEMS)
    for model in ("first", "second"):
        options = ["--samples", "16", "--verifier", "answer", "--model", f"{model}={house.model_folder}"]
        house.passatk("run", "create", "--name", f"of-{model}", "--benchmark", "arithmetic", *options)
        house.passatk("run", "start", f"of-{model}", "--no-wait", "--batch", "4")
    house.standin_worker(model="first")
    house.judge_worker()
    house.passatk("run", "watch", "of-first")
    assert house.status("of-second")["samples"] == 0  # nobody who holds its model is there yet
    house.passatk("run", "topup", "of-first", "--samples", "32", "--no-wait")
    house.standin_worker(model="second")
    for name in ("of-first", "of-second"):
        house.passatk("run", "watch", name)
    house.assert_whole("of-first", PROBLEMS, 32, verifiers=1)
    house.assert_whole("of-second", PROBLEMS, 16, verifiers=1)
    drawn = house.rows(
        "SELECT r.name, w.queues, count(*) FROM store.samples AS s JOIN store.runs AS r USING (run_id) "
        "JOIN store.workers AS w USING (worker_id) GROUP BY 1, 2 ORDER BY 1"
    )
    assert drawn == [
        ("of-first", "generate.first", PROBLEMS * 32),
        ("of-second", "generate.second", PROBLEMS * 16),
    ]
