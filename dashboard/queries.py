"""Run an analyst's SQL from a page: what came of it is kept in the session, so that no rerun of the page loses it."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import pyarrow as pa
import streamlit as st
from pyarrow import csv

from dashboard.snapshots import Reading
from store.analytics import SqlResult, run_sql
from store.errors import PassatkError

#: A query that takes longer gets a Stop button, seconds.
_PATIENCE = 1.0


@dataclass(frozen=True)
class Kept:
    """What came of a query: a table, or an error in words."""

    snapshot_id: str
    table: pa.Table | None = None
    error: str = ""
    rows: int = 0
    cut: str | None = None
    seconds: float = 0.0


def run(reading: Reading, text: str) -> Kept:
    """Run the text in its own process. Stop, or anything else the reader does on the page, ends it."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run_sql, text, reading.mirror, None, stop)
        try:
            _watch(waiting)
        finally:
            stop.set()  # the page is run anew: nobody waits for the answer any more
    return _outcome(reading, waiting)


def _watch(waiting: Future[SqlResult]) -> None:
    """Wait, saying how long; a rerun of the page is raised here, at the next word written."""
    wait([waiting], timeout=_PATIENCE)
    if waiting.done():
        return
    begun = time.monotonic() - _PATIENCE
    place = st.container(horizontal=True, vertical_alignment="center")
    place.button("Stop", key="stop query", icon=":material/stop:")
    line = place.empty()
    while not waiting.done():
        line.caption(f"Running for {time.monotonic() - begun:.0f} s")
        wait([waiting], timeout=0.25)


def _outcome(reading: Reading, done: Future[SqlResult]) -> Kept:
    try:
        result = done.result()
    except PassatkError as error:
        return Kept(reading.id, error=str(error))
    table = result.table.rename_columns(unique(result.columns))
    return Kept(reading.id, table, rows=result.row_count, cut=result.cut, seconds=result.seconds)


def unique(names: Sequence[str]) -> list[str]:
    """Column names as keys: a query may name two columns alike."""
    seen: Counter[str] = Counter()
    kept = []
    for name in names:
        seen[name] += 1
        kept.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return kept


def csv_bytes(table: pa.Table) -> bytes:
    """The table as CSV. Lists and structs, which CSV has not, are written as text."""
    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            values = table.column(place).to_pylist()
            text = pa.array([None if value is None else str(value) for value in values], pa.string())
            table = table.set_column(place, field.name, text)
    made = io.BytesIO()
    csv.write_csv(table, made)
    return made.getvalue()
