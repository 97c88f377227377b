"""What watching a run says of its speed and of the time left."""

from __future__ import annotations

import pytest

from store.progress import RunProgress, VerifierProgress
from workers import watch


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in a list of one number."""
    now = [100.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    return now


def _seen(samples: int, judged: int, **batches: int) -> RunProgress:
    """A run of 10 problems and 100 samples of 20 tokens, judged by one verifier."""
    return RunProgress(10, samples, 100, 20 * samples, 0, batches, [], [VerifierProgress("chain@1", judged, 0, 0)])


def test_the_clock_starts_with_the_work_and_not_with_the_wait_for_a_worker(clock: list[float]) -> None:
    rate = watch._Rate(_seen(0, 0, ready=10))
    clock[0] += 240  # a worker loads its model
    assert rate.line(_seen(0, 0, ready=10)) == "0 samples/s, 0 tokens/s, ETA ?"
    clock[0] += 10
    assert rate.line(_seen(0, 0, ready=9, leased=1)) == "0 samples/s, 0 tokens/s, ETA ?"
    clock[0] += 10
    assert rate.line(_seen(40, 10, ready=3, leased=3)) == "2.0 samples/s, 40 tokens/s, ETA 1:00"


def test_what_was_there_before_does_not_count(clock: list[float]) -> None:
    rate = watch._Rate(_seen(50, 50, leased=1))
    clock[0] += 20
    assert rate.line(_seen(60, 60, leased=1)) == "0.5 samples/s, 10 tokens/s, ETA 1:20"
    clock[0] += 20
    assert rate.line(_seen(100, 100)).endswith("ETA 0:00")
