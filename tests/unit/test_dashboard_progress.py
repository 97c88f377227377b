"""How far a run is, in one word, with its rate and the time left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.progress import left, progress
from dashboard.wording import duration, short_number

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def summary(**changed: Any) -> dict[str, Any]:
    row = {
        "state": "open", "samples": 100, "samples_per_problem": 10, "problems": 10, "judged": 60, "undecided": 0,
        "last_written_at": NOW - timedelta(seconds=20),
    }  # fmt: skip
    return row | changed


def pace(**changed: Any) -> dict[str, Any]:
    return {"judged_per_second": 2.0, "batch_seconds": 5.0, "batches_left": 4} | changed


@pytest.mark.parametrize(
    ("row", "paced", "state"),
    [
        (summary(), pace(), "running"),
        (summary(judged=99, undecided=1), pace(batches_left=0), "complete"),
        (summary(last_written_at=NOW - timedelta(minutes=6)), pace(), "stalled"),
        (summary(last_written_at=NOW - timedelta(minutes=6)), pace(batch_seconds=60.0), "running"),
        (summary(state="paused"), pace(), "paused"),
        (summary(state="cancelled"), pace(), "cancelled"),
        (summary(samples=0, judged=0), pace(), "not begun"),
        (summary(judged=0), pace(batches_left=0), "not judged"),
        (summary(judged=0), None, "not judged"),
    ],
)
def test_a_run_is_in_one_state(row: dict[str, Any], paced: dict[str, Any] | None, state: str) -> None:
    assert progress(row, paced, NOW).state == state


def test_the_time_left_is_what_the_rate_makes_of_the_rest() -> None:
    one = progress(summary(), pace(), NOW)
    assert (one.done, one.wanted, one.share, one.seconds_left) == (60, 100, 0.6, 20.0)
    assert left(one) == "20 s"


def test_only_a_run_under_way_has_a_rate() -> None:
    assert progress(summary(state="paused"), pace(), NOW).per_second is None
    assert left(progress(summary(state="paused"), pace(), NOW)) == "—"


def test_lengths_of_time_in_words() -> None:
    assert [duration(one) for one in (0.2, 45, 240, 7800, 273600)] == ["1 s", "45 s", "4 min", "2 h 10 min", "3 d 4 h"]


def test_amounts_with_three_digits() -> None:
    assert [short_number(one) for one in (0.1234, 164.5, 20600, 1_050_000)] == ["0.123", "164", "20.6k", "1.05 M"]
