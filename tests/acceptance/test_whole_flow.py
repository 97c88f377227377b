"""From an empty store to curves, with a real engine, real workers and the embedded default."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import psycopg
import pytest

PROBLEMS, SAMPLES = 8, 48


@pytest.mark.timeout(900)
def test_draw_judge_ask_and_top_up(house) -> None:
    house.benchmark(PROBLEMS)
    house.run("flow", SAMPLES)
    drawing, judging = house.draw_worker(), house.judge_worker()
    done = house.passatk("run", "start", "flow")
    assert f"Run flow: {PROBLEMS * SAMPLES} samples." in done.stdout
    house.assert_whole("flow", PROBLEMS, SAMPLES)
    _every_sample_says_how_it_was_drawn(house)
    _a_second_start_draws_nothing(house)
    _more_samples_are_added_to_those_there(house)
    _the_analyst_gets_the_same_number_from_psql(house)
    for worker in (drawing, judging):
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0


def _every_sample_says_how_it_was_drawn(house) -> None:
    rows = house.rows(
        "SELECT count(*) FROM analytics.samples JOIN analytics.engines USING (engine_id) WHERE seed IS NOT NULL "
        "AND prompt_tokens > 0 AND completion_tokens > 0 AND finish_reason IN ('stop', 'length') "
        "AND cumulative_logprob < 0 AND latency_seconds > 0 AND engine = 'vllm' AND length(model_revision) > 10"
    )
    assert rows == [(PROBLEMS * SAMPLES,)]
    assert house.rows("SELECT count(DISTINCT seed) FROM store.samples") == [(PROBLEMS * SAMPLES,)]


def _a_second_start_draws_nothing(house) -> None:
    before = house.rows("SELECT max(created_at), max(batch_id) FROM store.samples")
    assert "lacks nothing" in house.passatk("run", "start", "flow").stdout
    assert house.rows("SELECT max(created_at), max(batch_id) FROM store.samples") == before


def _more_samples_are_added_to_those_there(house) -> None:
    before = house.texts("flow")
    house.passatk("run", "topup", "flow", "--samples", str(SAMPLES + 16))
    house.assert_whole("flow", PROBLEMS, SAMPLES + 16)
    after = house.texts("flow")
    assert {key: after[key] for key in before} == before


def _the_analyst_gets_the_same_number_from_psql(house) -> None:
    house.passatk("mirror", "refresh")
    asked = house.passatk("query", "coverage", "--run", "flow", "--k", "1,10,64", "--format", "json")
    rows = json.loads(asked.stdout)
    query = """
        SELECT avg(pass_at_k(n, c, k)) FROM problem_counts
        JOIN runs USING (run_id), unnest(ARRAY[1, 10, 64]) AS k
        WHERE run = 'flow' AND verifier_id = reference_verifier_id GROUP BY k ORDER BY k
    """
    with psycopg.connect(house.passatk("store", "url", "--reader").stdout.strip()) as reader:
        psql = [value for (value,) in reader.execute(query).fetchall()]
    assert [row["coverage"] for row in rows] == pytest.approx(psql, abs=1e-12)
    asked = house.passatk(
        "sql", query.replace("unnest(ARRAY[1, 10, 64]) AS k", "unnest([1, 10, 64]) AS t(k)"), "--format", "json"
    )
    assert [next(iter(row.values())) for row in json.loads(asked.stdout)] == pytest.approx(psql, abs=1e-12)


@pytest.mark.timeout(900)
def test_plain_celery_commands_work(house) -> None:
    house.benchmark(2)
    house.run("plain", 16)
    celery = str(Path(sys.executable).with_name("celery"))
    queue = "generate.arithmetic"
    house.start(celery, "-A", "workers.app", "worker", "-Q", queue, "-P", "threads", "-c", "4", "-n", "draw@%h")
    house.start(celery, "-A", "workers.app", "worker", "-Q", "verify", "-P", "solo", "-n", "judge@%h")
    house.passatk("run", "start", "plain")
    house.assert_whole("plain", 2, 16)


@pytest.mark.timeout(900)
def test_stored_samples_are_judged_without_an_engine(house) -> None:
    samples = house.home / "samples.jsonl"
    lines = [
        {"task_id": "arith-001", "completion": "311*4=1244\n#### 1244"},
        {"task_id": "arith-001", "completion": "311*4=1244\n#### 1245"},
        {"task_id": "arith-002", "completion": "no idea"},
    ]
    samples.write_text("\n".join(map(json.dumps, lines)))
    house.benchmark(2)
    house.passatk(
        "samples",
        "import",
        str(samples),
        "--run",
        "given",
        "--benchmark",
        "arithmetic",
        "--model",
        "m",
        "--format",
        "jsonl",
    )
    done = house.passatk("verify", "--run", "given", "--verifier", "answer")
    assert "answer@" in done.stdout
    rows = house.rows(
        "SELECT sample_index, outcome, reason, answer FROM store.verdicts ORDER BY problem_id, sample_index"
    )
    assert rows == [
        (0, "correct", None, "1244"),
        (1, "incorrect", "wrong_answer", "1245"),
        (0, "incorrect", "no_answer", None),
    ]
    again = house.passatk("verify", "--run", "given", "--verifier", "answer")
    assert house.rows("SELECT count(*) FROM store.verdicts") == [(3,)], again.stdout
