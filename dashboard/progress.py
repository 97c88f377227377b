"""How far runs are: their state in one word, progress, rate and the time left. No Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard.answers import Row
from dashboard.wording import NONE, duration

#: A run that is under way stands still after this long without a verdict, or after so many usual gaps, seconds.
_STILL_SECONDS, _STILL_GAPS = 300.0, 20.0

RUNNING, COMPLETE, STALLED, PAUSED, CANCELLED = "running", "complete", "stalled", "paused", "cancelled"
NOT_BEGUN, NOT_JUDGED = "not begun", "not judged"
STATES = (RUNNING, STALLED, COMPLETE, PAUSED, CANCELLED, NOT_BEGUN, NOT_JUDGED)


@dataclass(frozen=True)
class Progress:
    """One run: samples judged (decided or not) of those wanted, verdicts a second, seconds left, its state."""

    done: int
    wanted: int
    per_second: float | None
    seconds_left: float | None
    state: str

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.wanted) if self.wanted else 0.0


def progress(row: Row, pace: Row | None, now: datetime) -> Progress:
    """The progress of a run from its summary and its pace, as of the moment the snapshot was taken."""
    wanted = (row["samples_per_problem"] or 0) * (row["problems"] or 0) or row["samples"] or 0
    done = (row["judged"] or 0) + (row["undecided"] or 0)
    state = _state(row, pace, wanted, done, now)
    if state != RUNNING or pace is None or not pace["judged_per_second"]:
        return Progress(done, wanted, None, None, state)
    rate = float(pace["judged_per_second"])
    return Progress(done, wanted, rate, (wanted - done) / rate, state)


def _state(row: Row, pace: Row | None, wanted: int, done: int, now: datetime) -> str:
    if row["state"] in (PAUSED, CANCELLED):
        return str(row["state"])
    if not row["samples"]:
        return NOT_BEGUN
    if not done and not (pace and pace["batches_left"]):
        return NOT_JUDGED
    if done >= wanted and not (pace and pace["batches_left"]):
        return COMPLETE
    last = row["last_written_at"]
    usual = (pace or {}).get("batch_seconds") or 0.0
    if last is None or (now - last).total_seconds() > max(_STILL_SECONDS, _STILL_GAPS * usual):
        return STALLED
    return RUNNING


def left(one: Progress) -> str:
    """The time left, in words."""
    return NONE if one.seconds_left is None else duration(one.seconds_left)
