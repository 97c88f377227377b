"""The whole answer of an analyst's SQL as a stream: the same process and gate as `sql_runner`, other limits.

Nothing is held but the batch being passed on, so an answer may be larger than memory. An answer is whole or an error:
an export that a limit would cut fails instead.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from store.analytics.catalogue_file import catalogue_path
from store.analytics.errors import NoSnapshot, QueryFailed, QueryRefused
from store.analytics.sql_runner import SqlLimits, report_of, request_for, sandbox

EXPORT_LIMITS = SqlLimits(seconds=600.0, rows=1_000_000_000, bytes=8_000_000_000)
#: The process has this long to start and to end beyond the query's own time, seconds.
_PATIENCE = 30.0
_running = threading.BoundedSemaphore(2)


class SqlExport:
    """An answer being read: `schema` at once, then its batches. Use as a context: leaving it ends the query."""

    def __init__(self, text: str, mirror: Path, limits: SqlLimits = EXPORT_LIMITS) -> None:
        """Raises QueryRefused or QueryFailed when there is no answer to stream, NoSnapshot for an empty mirror."""
        if not catalogue_path(mirror).exists():
            raise NoSnapshot(f"The mirror in {mirror} is empty: run `passatk mirror refresh`.")
        if not _running.acquire(timeout=_PATIENCE):
            raise QueryFailed("Two exports run already; try again when one has ended.")
        self._limits = limits
        self._process = sandbox()
        self._late = threading.Timer(limits.seconds + _PATIENCE, self._process.kill)
        self._late.daemon = True
        self._late.start()
        try:
            self._reader = self._begun(text, mirror)
        except BaseException:
            self.close()
            raise

    @property
    def schema(self) -> pa.Schema:
        return self._reader.schema

    def _begun(self, text: str, mirror: Path) -> pa.RecordBatchReader:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it ended before reading: its report says why
            self._process.stdin.write(json.dumps(request_for(text, mirror, self._limits)).encode())
            self._process.stdin.close()
        try:
            return pa.ipc.open_stream(self._process.stdout)
        except pa.ArrowInvalid:
            self._check()
            raise QueryFailed("The query gave no answer.") from None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every batch; raises QueryFailed at the end when these were not all rows."""
        try:
            yield from self._reader
        except (pa.ArrowInvalid, OSError):
            self._check()
            raise QueryFailed("The query ended in the midst of its answer.") from None
        self._check()

    def _check(self) -> None:
        """Raise what the process reported, unless it is that all went well."""
        assert self._process.stderr
        report = report_of(self._process.stderr.read())
        if report is None:
            raise QueryFailed("The query ended its process: it needed too much memory or time.")
        if "refused" in report:
            raise QueryRefused(report["refused"])
        if "error" in report:
            raise QueryFailed(report["error"])
        if report["cut"]:
            raise QueryFailed(f"The answer is too large to export. {report['cut']}")

    def close(self) -> None:
        """End the query if it still runs."""
        self._late.cancel()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()
        _running.release()

    def __enter__(self) -> SqlExport:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
