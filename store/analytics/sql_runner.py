"""Run an analyst's SQL text over the mirror, in a process of its own that is thrown away afterwards.

DuckDB has no inner wall between a query and its process: a single SELECT can end the process, ignore interruption, or
outgrow the memory limit. So nobody's query runs in a process that anybody else needs.
"""

from __future__ import annotations

import io
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

import store
from store.analytics.catalogue_file import catalogue_path
from store.analytics.errors import NoSnapshot, QueryFailed, QueryRefused
from store.analytics.rendering import python_values
from store.analytics.segments import segments_folder
from store.settings import StoreSettings

_START = "import sys; sys.path.insert(0, sys.argv[1]); from store.analytics.sandbox import main; main()"
#: After its deadline a query has this long to stop by itself.
_GRACE_SECONDS = 1.0
_START_SECONDS = 30.0
#: Queries running at once in this process; more wait their turn.
_running = threading.BoundedSemaphore(4)


class _Fault(QueryFailed):
    """DuckDB failed in itself."""


@dataclass(frozen=True)
class SqlLimits:
    """What one query may use. `memory` is DuckDB's own limit, `address_space` (bytes) the process's."""

    seconds: float = 30.0
    rows: int = 10_000
    bytes: int = 32_000_000
    memory: str = "512MB"
    address_space: int = 3 << 30
    threads: int = 2


@dataclass(frozen=True)
class SqlResult:
    """Rows of a query; `cut` says why there may be more rows, None when these are all; `seconds` is DuckDB's time."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    table: pa.Table
    row_count: int
    cut: str | None
    seconds: float

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        if not self.table.num_columns:
            return []
        return list(zip(*map(python_values, self.table.columns), strict=True))


def run_sql(
    text: str,
    mirror: Path | None = None,
    limits: SqlLimits | None = None,
    stop: threading.Event | None = None,
) -> SqlResult:
    """Run one SELECT over the last snapshot of a mirror (default: the settings' one); `stop` ends it early.

    A query that meets a fault in DuckDB is run once more. Raises QueryRefused for text that may not run, QueryFailed
    when it fails, is stopped, or outgrows its limits, and NoSnapshot for an empty mirror.
    """
    folder = mirror if mirror is not None else StoreSettings.from_environment().mirror
    if not catalogue_path(folder).exists():
        raise NoSnapshot(f"The mirror in {folder} is empty: run `passatk mirror refresh`.")
    bounds = limits or SqlLimits()
    if not _running.acquire(timeout=bounds.seconds):
        raise QueryFailed("Too many queries run at once; try again.")
    try:
        request = json.dumps(request_for(text, folder, bounds)).encode()
        return _run(request, bounds, stop)
    finally:
        _running.release()


def request_for(text: str, mirror: Path, limits: SqlLimits) -> dict[str, Any]:
    """What the sandbox is asked."""
    return {
        "text": text,
        "catalogue": str(catalogue_path(mirror).resolve()),
        "segments": str(segments_folder(mirror).resolve()),
        "cpu_seconds": int(limits.seconds * limits.threads) + 5,
        **limits.__dict__,
    }


def sandbox() -> subprocess.Popen[bytes]:
    """A process that answers one request. Its environment is empty: nothing to read there, no proxy, no home."""
    root = str(Path(next(iter(store.__path__))).parent)
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _START, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
        cwd="/",
    )


def _run(request: bytes, limits: SqlLimits, stop: threading.Event | None) -> SqlResult:
    try:
        return _answer(request, limits, stop)
    except _Fault:  # DuckDB 1.5 now and then fails on windows over all rows, and not on the same text again
        return _answer(request, limits, stop)


def _answer(request: bytes, limits: SqlLimits, stop: threading.Event | None) -> SqlResult:
    with sandbox() as process:
        try:
            return _result(*_conversation(process, request, limits, stop), limits)
        finally:
            process.kill()


def _conversation(
    process: subprocess.Popen[bytes], request: bytes, limits: SqlLimits, stop: threading.Event | None
) -> tuple[bytes, bytes]:
    """Hand over the request; what the process wrote to its output and its error, within the caps."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        process.stdin.write(request)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it ended before reading: its error says why
    heard: dict[Any, bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    deadline, started = time.monotonic() + _START_SECONDS, False
    with selectors.DefaultSelector() as selector:
        for pipe in heard:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            if stop is not None and stop.is_set():
                raise QueryFailed("Stopped.")
            if time.monotonic() > deadline:
                raise QueryFailed(f"Stopped after {limits.seconds:g} s.")
            for key, _ in selector.select(timeout=0.05):
                _hear(selector, key, heard, limits)
            if not started and heard[process.stderr].startswith(b"started\n"):
                deadline, started = time.monotonic() + limits.seconds + _GRACE_SECONDS, True
    return bytes(heard[process.stdout]), bytes(heard[process.stderr])


def _hear(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, heard: dict[Any, bytearray], limits: SqlLimits
) -> None:
    chunk = os.read(key.fd, 1 << 20)
    if not chunk:
        selector.unregister(key.fileobj)
        return
    heard[key.fileobj] += chunk
    if len(heard[key.fileobj]) > 2 * limits.bytes + (1 << 20):
        raise QueryFailed(f"The answer is larger than {limits.bytes / 1e6:,.0f} MB.")


def _result(output: bytes, errors: bytes, limits: SqlLimits) -> SqlResult:
    report = report_of(errors)
    if report is None:
        raise QueryFailed(
            f"The query ended its process: it needed more than {limits.address_space / 2**30:.0f} GB of memory "
            "or all its time, or met a fault in DuckDB."
        )
    if "refused" in report:
        raise QueryRefused(report["refused"])
    if "error" in report:
        raise (_Fault if report.get("fault") else QueryFailed)(report["error"])
    table = pa.ipc.open_stream(io.BytesIO(output)).read_all()
    return SqlResult(
        tuple(table.column_names),
        tuple(report["types"]),
        table,
        int(report["rows"]),
        report["cut"],
        float(report["seconds"]),
    )


def report_of(errors: bytes) -> dict[str, Any] | None:
    """How the process says it went; None when it ended without a word."""
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
