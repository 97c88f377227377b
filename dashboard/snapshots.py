"""What the pages read: one published state of the mirror, the same for a reader until they ask for a newer one.

Published states never change, so every answer is kept by the state's id without a time limit.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.answers import Answer, answered
from store.analytics import NoSnapshot, Snapshot, TableInfo, open_snapshot
from store.errors import PassatkError
from store.settings import StoreSettings

_READING = "reading"
#: Longest wait for a new snapshot, seconds.
_REFRESH_SECONDS = 300


class RefreshFailed(PassatkError):
    """No new snapshot could be taken."""


@dataclass(frozen=True)
class Reading:
    """The state a reader is looking at."""

    snapshot: Snapshot
    mirror: Path

    @property
    def id(self) -> str:
        return str(self.snapshot.snapshot_id)

    @property
    def taken_at(self) -> datetime:
        return self.snapshot.taken_at

    def ask(self, name: str, **parameters: Any) -> Answer:
        """The answer of a catalogued query, kept by snapshot, name and parameters."""
        frozen = tuple(sorted((key, _frozen(value)) for key, value in parameters.items() if value is not None))
        answer = _answer(str(self.mirror), self.id, name, frozen, self.snapshot)
        if isinstance(answer, PassatkError):
            raise answer.with_traceback(None)
        return answer


def current() -> Reading:
    """The snapshot this session reads: the newest when it began. Raises NoSnapshot while the mirror is empty."""
    mirror = StoreSettings.from_environment().mirror
    if _READING not in st.session_state or st.session_state[_READING].mirror != mirror:
        st.session_state[_READING] = _newest(mirror)
    reading: Reading = st.session_state[_READING]
    return reading


def newer_is_published(reading: Reading) -> bool:
    """Whether the mirror holds a state newer than the one being read."""
    try:
        return _newest(reading.mirror).id != reading.id
    except NoSnapshot:
        return False


def read_newest() -> None:
    """From now on read the newest published state."""
    st.session_state.pop(_READING, None)


def take_new() -> str:
    """Have the mirror refreshed by `passatk mirror refresh` in a process of its own; what it said.

    This process never reads the store itself, nor loads what could.
    """
    command = [sys.executable, "-m", "dashboard.refresh"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_REFRESH_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise RefreshFailed(f"No new snapshot within {_REFRESH_SECONDS} s: see `passatk mirror status`.") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RefreshFailed(said[-1].removeprefix("Error: ") if said else "`passatk mirror refresh` failed.")
    read_newest()
    return done.stdout.strip()


def _newest(mirror: Path) -> Reading:
    # The catalogue is replaced by rename: the same inode and time is the same state.
    try:
        found = (mirror / "catalogue.duckdb").stat()
        mark = (found.st_ino, found.st_mtime_ns)
    except OSError:
        mark = (0, 0)  # open_snapshot says what is missing
    return _opened(str(mirror), mark)


@st.cache_resource(max_entries=8, show_spinner=False)
def _opened(mirror: str, mark: tuple[int, int]) -> Reading:
    return Reading(open_snapshot(Path(mirror)), Path(mirror))


@st.cache_resource(max_entries=512, show_spinner=False)
def _answer(
    mirror: str, snapshot_id: str, name: str, parameters: tuple[tuple[str, Hashable], ...], _snapshot: Snapshot
) -> Answer | PassatkError:
    """The answer, or the error that the same question to the same state always gets."""
    asked = {key: list(value) if isinstance(value, tuple) else value for key, value in parameters}
    try:
        return answered(_snapshot, name, asked)
    except PassatkError as error:
        if error.retryable:
            raise
        return error


def schema(reading: Reading) -> list[TableInfo]:
    """Tables of the snapshot with comments and row counts."""
    return _schema(str(reading.mirror), reading.id, reading.snapshot)


@st.cache_resource(max_entries=8, show_spinner=False)
def _schema(mirror: str, snapshot_id: str, _snapshot: Snapshot) -> list[TableInfo]:
    return _snapshot.schema()


def functions(reading: Reading) -> list[tuple[str, str, str]]:
    """The snapshot's own functions as (name, parameters, meaning)."""
    return _functions(str(reading.mirror), reading.id, reading.snapshot)


@st.cache_resource(max_entries=8, show_spinner=False)
def _functions(mirror: str, snapshot_id: str, _snapshot: Snapshot) -> list[tuple[str, str, str]]:
    rows = _snapshot.rows(
        "SELECT DISTINCT ON (function_name) function_name AS name, parameters, coalesce(comment, description, '') AS "
        "meaning FROM duckdb_functions() WHERE database_name = 'passatk' AND schema_name = 'analytics' ORDER BY 1"
    )
    return [(row["name"], f"({', '.join(row['parameters'])})", row["meaning"]) for row in rows]


def newest_id(reading: Reading) -> str:
    """The id of the newest published state of the mirror being read."""
    return _newest(reading.mirror).id


def _frozen(value: Any) -> Hashable:
    return tuple(value) if isinstance(value, list | tuple) else value
