"""Run an analyst's SQL from a page: what came of it is kept in the session, so that no rerun of the page loses it."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa
import streamlit as st

from dashboard import exports, readers
from dashboard.snapshots import Reading, newest_id
from store.analytics import SqlResult, run_sql
from store.errors import PassatkError

#: A query that takes longer gets a Stop button, seconds.
_PATIENCE = 1.0
_HISTORY = "sql history"
#: Queries remembered in a session.
_REMEMBERED = 30
_PLACE = re.compile(r"\(at character (\d+): .*\)", re.DOTALL)


@dataclass(frozen=True)
class Kept:
    """What came of a query: a table, or an error in words; `ticket` lets the whole answer be downloaded."""

    text: str
    snapshot_id: str
    table: pa.Table | None = None
    error: str = ""
    rows: int = 0
    cut: str | None = None
    seconds: float = 0.0
    ticket: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def plan(self) -> str | None:
        """The text of a plan, when that is what was asked for."""
        if self.table is None or self.table.column_names != ["explain_key", "explain_value"]:
            return None
        return "\n".join(str(text) for text in self.table.column(1).to_pylist())


def run(reading: Reading, text: str) -> Kept:
    """Run the text in its own process. Stop, or anything else the reader does on the page, ends it."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run_sql, text, reading.mirror, None, stop)
        try:
            _watch(waiting)
        finally:
            stop.set()  # the page is run anew: nobody waits for the answer any more
    kept = _outcome(reading, text, waiting)
    st.session_state[_HISTORY] = [kept, *history()][:_REMEMBERED]
    return kept


def history() -> list[Kept]:
    """The queries of this session, the last one first."""
    return list(st.session_state.get(_HISTORY, ()))


def _watch(waiting: Future[SqlResult]) -> None:
    """Wait, saying how long; a rerun of the page is raised here, at the next word written."""
    wait([waiting], timeout=_PATIENCE)
    if waiting.done():
        return
    begun = time.monotonic() - _PATIENCE
    slot = st.empty()
    place = slot.container(horizontal=True, vertical_alignment="center")
    place.button("Stop", key="stop query", icon=":material/stop:")
    line = place.empty()
    while not waiting.done():
        line.caption(f"Running for {time.monotonic() - begun:.0f} s")
        wait([waiting], timeout=0.25)
    slot.empty()


def _outcome(reading: Reading, text: str, done: Future[SqlResult]) -> Kept:
    # A query reads what is published now, which may be newer than what the page shows: it is said under the result.
    ran_on = newest_id(reading)
    try:
        result = done.result()
    except PassatkError as error:
        return Kept(text, ran_on, error=pointed(str(error), text))
    table = result.table.rename_columns(unique(result.columns))
    key = exports.ticket(text, readers.holder())
    return Kept(text, ran_on, table, rows=result.row_count, cut=result.cut, seconds=result.seconds, ticket=key)


def pointed(error: str, text: str) -> str:
    """An error that names a character, with the line it stands in and a caret under it."""
    found = _PLACE.search(error)
    if found is None:
        return error
    place = min(int(found[1]) - 1, len(text))
    start = text.rfind("\n", 0, place) + 1
    line = text[start:].split("\n", 1)[0]
    number = text.count("\n", 0, place) + 1
    said = error[: found.start()].strip()
    return f"{said}\n\nLINE {number}: {line}\n{' ' * (len(f'LINE {number}: ') + place - start)}^"


def unique(names: Sequence[str]) -> list[str]:
    """Column names as keys: a query may name two columns alike."""
    seen: Counter[str] = Counter()
    kept = []
    for name in names:
        seen[name] += 1
        kept.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return kept
