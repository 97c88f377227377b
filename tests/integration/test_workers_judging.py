"""Judging on this machine: processes of one's own work off what is planned, beside workers, and outlive a death."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from store.batches import claim
from store.connection import transaction
from store.runs import Run
from workers.judging import JudgesDied, LocalJudges, default_jobs
from workers.planning import plan_judging


@pytest.fixture
def run(workshop: Any) -> Run:
    """Eight problems with ten samples each: `#### 1` is right for the first alone."""
    run: Run = workshop.run(problems=8, samples=None)
    for problem in workshop.problems(run):
        workshop.draw(run, problem, range(10), "#### {}".format)
    return run


@pytest.fixture
def judges(run: Run) -> Iterator[LocalJudges]:
    row, _ = plan_judging(run, "answer")
    made = LocalJudges(run, row.verifier_id, 2)
    yield made
    made.close()


def _until_done(judges: LocalJudges, workshop: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    query = "SELECT count(*) FROM store.batches WHERE state IN ('ready', 'leased') AND verifier_id IS NOT NULL"
    while workshop.one(query):
        assert time.monotonic() < deadline, workshop.rows("SELECT state, tries, error FROM store.batches")
        judges.submit_open()
        time.sleep(0.1)


COUNTS = "SELECT count(*), count(DISTINCT (problem_id, sample_index)), count(*) FILTER (WHERE outcome = 'correct')"


def test_everything_is_judged_once(judges: LocalJudges, workshop: Any) -> None:
    _until_done(judges, workshop)
    # p0 asks 1 + 0: sample n answers n, so one of ten is right for each problem (1 to 8).
    assert workshop.rows(f"{COUNTS} FROM store.verdicts") == [(80, 80, 8)]


def test_what_a_worker_holds_is_left_to_it(judges: LocalJudges, workshop: Any) -> None:
    held = workshop.one("SELECT min(batch_id) FROM store.batches WHERE state = 'ready'")
    with transaction() as connection:
        assert claim(connection, held, "a worker elsewhere", 3) is not None
    _until_done(judges, workshop)  # its lease ends: it was dead
    assert workshop.rows(f"{COUNTS} FROM store.verdicts") == [(80, 80, 8)]
    assert workshop.one("SELECT tries FROM store.batches WHERE batch_id = :id", id=held) == 2


def test_a_process_that_is_killed_is_replaced(
    judges: LocalJudges, workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    judges.submit_open()
    deadline = time.monotonic() + 60
    while not workshop.one("SELECT count(*) FROM store.verdicts"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for pid in list(judges._pool._processes):
        os.kill(pid, signal.SIGKILL)
    # What the dead held comes back when its lease ends; here at once.
    time.sleep(0.5)
    workshop.rows("UPDATE store.batches SET lease_until = now() - interval '1 second' WHERE state = 'leased'")
    _until_done(judges, workshop)
    assert workshop.rows(f"{COUNTS} FROM store.verdicts") == [(80, 80, 8)]


def test_processes_that_cannot_live_are_not_started_for_ever(
    judges: LocalJudges, workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.judging.judge_here", os._exit)  # pickled by name: the child's own dies on it
    with pytest.raises(JudgesDied, match="judging process"):
        _until_done(judges, workshop, 60)


def test_there_is_at_least_one_process() -> None:
    assert default_jobs() >= 1
