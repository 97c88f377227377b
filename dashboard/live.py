"""What is going on just now, heard from `passatk live` in a process of its own: this one never reads the store.

One such process serves every reader; it starts when a page asks and ends when none has asked for a while.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import streamlit as st

#: Seconds between two states, and how long after the last question the process goes on.
EVERY, _IDLE = 5.0, 60.0
#: A store that did not answer is asked again after so many seconds.
_AGAIN = 15.0
_COMMAND = [sys.executable, "-c", "from store.command import main; main()"]


@dataclass
class Feed:
    """The latest state that was heard, or in one line why there is none."""

    state: dict[str, Any] | None = None
    error: str | None = None
    #: When it was first found not to answer, in UTC; None while it answers.
    since: datetime | None = None
    failed: float = 0.0
    heard: float = 0.0
    asked: float = 0.0
    process: subprocess.Popen[str] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    first: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        """Keep the process running, or start it."""
        self.asked = time.monotonic()
        with self.lock:
            if self.error is not None and self.asked - self.failed < _AGAIN:
                return
            if self.process is None or self.process.poll() is not None:
                self.first.clear()
                self.process = subprocess.Popen(
                    [*_COMMAND, "live", "--if-running", "--every", str(EVERY)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        assert process.stderr
        with process.stdout, process.stderr:
            for line in process.stdout:
                self.state, self.error, self.heard = json.loads(line), None, time.monotonic()
                self.since = None
                self.first.set()
                if time.monotonic() - self.asked > _IDLE:
                    process.terminate()
            said = process.stderr.read().strip().splitlines()
        if process.wait() not in (0, -15, -9):
            self.since, self.failed = self.since or datetime.now(UTC), time.monotonic()
            self.error = said[-1].removeprefix("Error: ") if said else "`passatk live` ended without a word."
        self.first.set()


@st.cache_resource(show_spinner=False)
def _feed() -> Feed:
    return Feed()


def latest(patience: float = 15.0) -> tuple[dict[str, Any] | None, str | None]:
    """(state, error): the newest state heard, waiting for a first one; with an error the state is an older one."""
    feed = _feed()
    feed.ask()
    feed.first.wait(patience)
    if feed.state is None and feed.error is None:
        return None, f"The store has not answered within {patience:.0f} s."
    return feed.state, feed.error


def heard() -> tuple[dict[str, Any] | None, str | None]:
    """(state, error) as far as known, without waiting for either."""
    feed = _feed()
    feed.ask()
    return feed.state, feed.error


@dataclass(frozen=True)
class Stored:
    """What the store holds in all, or since when it does not answer; both None while it has not answered yet."""

    samples: int | None = None
    verdicts: int | None = None
    revision: str | None = None
    gone_since: datetime | None = None
    error: str | None = None


def stored(patience: float = 0.0) -> Stored:
    """The totals heard last; asks without waiting, so that no page is held up by the store."""
    feed = _feed()
    feed.ask()
    if patience:
        feed.first.wait(patience)
    if feed.error is not None:
        return Stored(gone_since=feed.since, error=feed.error)
    found = (feed.state or {}).get("stored", {})
    return Stored(found.get("samples"), found.get("verdicts"), found.get("revision"))


def has_answered() -> bool:
    """Whether the store has answered, or failed to, since the dashboard began to ask."""
    return _feed().first.is_set()


def command(*words: str) -> tuple[bool, str]:
    """Run a `passatk` command in a process of its own; whether it succeeded, and what it said."""
    done = subprocess.run([*_COMMAND, *words], capture_output=True, text=True, timeout=120, check=False)
    said = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip()
    return done.returncode == 0, said.removeprefix("Error: ") or "Done."
