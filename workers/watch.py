"""Watch a run from the terminal until nothing of it is left to do. The counts are read from the store."""

from __future__ import annotations

import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from store.connection import patiently, transaction
from store.errors import PassatkError
from store.progress import RunProgress, run_progress
from store.runs import Run

#: Seconds without any batch being taken after which the reader is told to start a worker.
_NO_WORKER_SECONDS = 20.0


class _Rate:
    """Rates over what was drawn and judged while it is watched; what was stored before does not count.

    The clock starts when work does: a worker that loads its model first would make every estimate too long.
    """

    def __init__(self, first: RunProgress) -> None:
        self._first = first
        self._started = self._last_drawn = time.monotonic()
        self._samples = first.samples

    def line(self, progress: RunProgress) -> str:
        """Samples and tokens a second while drawing, and the time left for drawing and judging together."""
        now = time.monotonic()
        if _done(progress) == _done(self._first) and not progress.batches.get("leased"):
            self._started = self._last_drawn = now
        if progress.samples > self._samples:
            self._samples, self._last_drawn = progress.samples, now
        drawing = max(self._last_drawn - self._started, 1e-9)
        samples = (progress.samples - self._first.samples) / drawing
        tokens = (progress.completion_tokens - self._first.completion_tokens) / drawing
        speed = (_done(progress) - _done(self._first)) / max(now - self._started, 1e-9)
        left = _eta(_wanted(progress) - _done(progress), speed)
        return f"{_told(samples)} samples/s, {_told(tokens)} tokens/s, ETA {left}"


def _told(rate: float) -> str:
    """Slow models draw less than one sample in a second: that is not 0."""
    return f"{rate:,.1f}" if 0 < rate < 10 else f"{rate:,.0f}"


def _done(progress: RunProgress) -> int:
    return progress.samples + sum(one.judged for one in progress.verifiers)


def _wanted(progress: RunProgress) -> int:
    return (progress.samples_wanted or progress.samples) * (1 + len(progress.verifiers))


def _eta(left: int, speed: float) -> str:
    if left <= 0:
        return "0:00"
    if speed <= 0:
        return "?"
    minutes, seconds = divmod(int(left / speed), 60)
    return f"{minutes}:{seconds:02d}"


def current(run: Run) -> RunProgress:
    """A run's progress now; waits for a store that restarts."""

    def read() -> RunProgress:
        with transaction() as connection:
            return run_progress(connection, run)

    return patiently(read)


def watch(
    run: Run, idle_hint: str, each_pass: Callable[[], object], left: Callable[[], int] | None = None
) -> RunProgress:
    """Show progress until no batch is left; `each_pass` is called about every second (sweeping, or working).

    `left` counts the batches that are waited for; without it they are all open ones of the run.
    """
    first = current(run)
    rate = _Rate(first)
    console = Console(stderr=True)
    show: _Bars | _Lines = _Bars(console, first) if console.is_terminal else _Lines()
    try:
        return _until_done(run, first, rate, show, idle_hint, each_pass, left)
    finally:
        show.close()


def _until_done(
    run: Run,
    progress: RunProgress,
    rate: _Rate,
    show: _Bars | _Lines,
    idle_hint: str,
    each_pass: Callable[[], object],
    left: Callable[[], int] | None,
) -> RunProgress:
    last_change, hinted, told = time.monotonic(), False, ""
    while True:
        show.update(progress, rate)
        if (progress.open_batches if left is None else left()) == 0:
            return progress if left is None else current(run)
        if progress.run_state == "cancelled":
            return progress
        trouble = _trouble_of(each_pass)
        if progress.run_state == "paused":
            trouble = f"Run {run.name} is paused: `passatk run resume {run.name}` lets it go on."
        if trouble and trouble != told:
            click.echo(trouble, err=True)
            told = trouble
        time.sleep(0.5)
        newer = current(run)
        if newer.batches != progress.batches or newer.batches.get("leased") or newer.run_state != "open":
            last_change, hinted = time.monotonic(), False
        elif not hinted and time.monotonic() - last_change > _NO_WORKER_SECONDS:
            click.echo(idle_hint, err=True)
            hinted = True
        progress = newer


def _trouble_of(each_pass: Callable[[], object]) -> str:
    """What went wrong in a pass and may pass by itself: a store or a broker that restarts ends no watching."""
    try:
        each_pass()
    except PassatkError as error:
        if not error.retryable:
            raise
        return str(error)
    return ""


class _Bars:
    """Bars in a terminal: one for drawing, one for each verifier."""

    def __init__(self, console: Console, first: RunProgress) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}/{task.total:,.0f}"))
        self._progress = Progress(*columns, TextColumn("{task.fields[rate]}"), console=console)
        self._drawn = self._progress.add_task("samples", total=first.samples_wanted or first.samples, rate="")
        self._judged: dict[str, TaskID] = {
            one.verifier: self._progress.add_task(one.verifier, total=None, rate="") for one in first.verifiers
        }
        self._progress.start()

    def update(self, progress: RunProgress, rate: _Rate) -> None:
        wanted = progress.samples_wanted or progress.samples
        self._progress.update(self._drawn, completed=progress.samples, total=wanted, rate=rate.line(progress))
        for one in progress.verifiers:
            if one.verifier in self._judged:
                text = f"{one.correct:,} correct"
                self._progress.update(self._judged[one.verifier], completed=one.judged, total=wanted, rate=text)

    def close(self) -> None:
        self._progress.stop()


class _Lines:
    """A line now and then where there is no terminal."""

    def __init__(self) -> None:
        self._next = 0.0

    def update(self, progress: RunProgress, rate: _Rate) -> None:
        if time.monotonic() < self._next and progress.open_batches:
            return
        self._next = time.monotonic() + 10
        wanted = progress.samples_wanted or progress.samples
        judged = "".join(f"; {one.verifier} judged {one.judged:,}" for one in progress.verifiers)
        click.echo(f"{progress.samples:,}/{wanted:,} samples, {rate.line(progress)}{judged}", err=True)

    def close(self) -> None:
        """Nothing to close."""
