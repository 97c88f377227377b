"""Segments: immutable Parquet files, one folder a contract view and a run. Written once, never changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from store.analytics.contract import PARTITION, Fact
from store.analytics.literals import identifier, quoted

_FLUSHED_AT_ONCE = 16


@dataclass(frozen=True)
class Segment:
    """One file of one fact and run; `path` is relative to the mirror."""

    fact: str
    run_id: int
    path: str
    rows: int
    bytes: int


def segments_folder(mirror: Path) -> Path:
    return mirror / "segments"


def write_segments(
    connection: duckdb.DuckDBPyConnection, staged: str, fact: Fact, mirror: Path, name: str
) -> list[Segment]:
    """Write the rows of table `staged` as one segment a run, sorted by key; `flushing` makes them safe on disk."""
    runs = connection.execute(f"SELECT DISTINCT run_id FROM {staged} ORDER BY 1").fetchall()  # noqa: S608
    return [_write(connection, staged, fact, int(run_id), mirror, name) for (run_id,) in runs]


def _write(
    connection: duckdb.DuckDBPyConnection, staged: str, fact: Fact, run_id: int, mirror: Path, name: str
) -> Segment:
    relative = Path("segments") / fact.name / f"{PARTITION}={run_id}" / f"{name}.parquet"
    file = mirror / relative
    file.parent.mkdir(parents=True, exist_ok=True)
    order = ", ".join(identifier(column) for column in fact.key)
    result = connection.execute(
        f"COPY (SELECT * EXCLUDE ({PARTITION}) FROM {staged} WHERE {PARTITION} = {run_id} ORDER BY {order}) "  # noqa: S608
        f"TO {quoted(file)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {fact.row_group})"
    ).fetchone()
    assert result is not None
    return Segment(fact.name, run_id, str(relative), int(result[0]), file.stat().st_size)


def write_partitioned(
    connection: duckdb.DuckDBPyConnection, query: str, fact: Fact, mirror: Path, name: str
) -> list[Segment]:
    """Write the rows of a query as segments of their runs in one pass, in the order in which they come.

    Nothing is held in memory but a buffer a run. Rows that one batch wrote stay together, which is what looking up one
    sample needs. `flushing` makes them safe on disk.
    """
    folder = segments_folder(mirror) / fact.name
    folder.mkdir(parents=True, exist_ok=True)
    # Texts are wide: their buffers are written out earlier.
    wide = fact.row_group < 100_000
    connection.execute(f"SET partitioned_write_flush_threshold = {32_768 if wide else 524_288}")
    rows = connection.execute(
        f"COPY ({query}) TO {quoted(folder)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {fact.row_group}, "
        f"PARTITION_BY ({PARTITION}), FILENAME_PATTERN '{name}-{{i}}', OVERWRITE_OR_IGNORE, RETURN_STATS)"
    ).fetchall()
    written = []
    for path, count, *_ in rows:
        file = Path(path)
        run_id = int(file.parent.name.removeprefix(f"{PARTITION}="))
        written.append(Segment(fact.name, run_id, str(file.relative_to(mirror)), int(count), file.stat().st_size))
    return written


@contextmanager
def flushing(mirror: Path, segments: Iterable[Segment]) -> Iterator[None]:
    """Flush segments to the disk beside the body's work: all are safe there when it ends.

    Several at once, as a disk waits for each alone about as long as for some together.
    """
    with ThreadPoolExecutor(_FLUSHED_AT_ONCE) as threads:
        flushed = [threads.submit(make_durable, mirror / segment.path) for segment in segments]
        yield
        for one in flushed:
            one.result()


def make_durable(file: Path) -> None:
    """Flush a file and its entry in the folder to the disk."""
    for path, flags in ((file, os.O_RDONLY), (file.parent, os.O_RDONLY | os.O_DIRECTORY)):
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def reading(files: Iterable[Path], columns: list[tuple[str, str]]) -> str:
    """The text of a query over segment files, or over nothing, with the view's columns in order."""
    listed = ", ".join(quoted(file) for file in files)
    if not listed:
        empty = ", ".join(f"NULL::{kind} AS {identifier(name)}" for name, kind in columns)
        return f"SELECT {empty} WHERE false"
    names = ", ".join(identifier(name) for name, _ in columns)
    return (
        f"SELECT {names} FROM read_parquet([{listed}], hive_partitioning = true, "  # noqa: S608
        f"hive_types = {{'{PARTITION}': INTEGER}})"
    )


def stored_files(mirror: Path) -> dict[str, int]:
    """Bytes of every file below the segments' folder, by its path relative to the mirror."""
    found: dict[str, int] = {}
    for folder, _, names in os.walk(segments_folder(mirror)):
        inside = os.path.relpath(folder, mirror)
        for name in names:
            with suppress(FileNotFoundError):  # a link that leads nowhere
                found[f"{inside}/{name}"] = os.stat(f"{folder}/{name}").st_size
    return found
