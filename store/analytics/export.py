"""Rows and curves written out for other tools: a folder a run, streamed a few problems at a time.

Memory does not grow with a run, nor with a problem: rows are read and written in portions, of whole problems or of a
range of one's samples. `benchmarks/export_memory.py` prints it.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from store.analytics.errors import BadParameter
from store.analytics.literals import identifier, quoted
from store.analytics.naming import Run, find_runs

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

What = Literal["samples", "verdicts", "curves"]
Format = Literal["parquet", "csv", "jsonl"]
#: Rows held at once, about, and rows with their texts, which may be of 100 kB each.
PORTION, TEXT_PORTION = 50_000, 5_000

_SAMPLES = """
SELECT {run} AS run, q.problem, s.*{text}
FROM (SELECT * FROM samples WHERE {portion}) AS s
INNER JOIN problems AS q ON s.problem_id = q.problem_id
{completions}
ORDER BY q.position, s.sample_index
"""
_COMPLETIONS = """
LEFT JOIN (SELECT * FROM completions WHERE {portion}) AS t
    ON s.problem_id = t.problem_id AND s.sample_index = t.sample_index
"""
_VERDICTS = """
SELECT {run} AS run, q.problem, w.verifier, w.version, v.*
FROM (SELECT * FROM verdicts WHERE {portion}) AS v
INNER JOIN problems AS q ON v.problem_id = q.problem_id
INNER JOIN verifiers AS w ON v.verifier_id = w.verifier_id
ORDER BY q.position, v.sample_index, v.verifier_id, v.attempt
"""


@dataclass(frozen=True)
class Exported:
    """What was written: files and rows."""

    files: tuple[Path, ...]
    rows: int


def export(
    snapshot: Snapshot,
    what: What,
    folder: Path,
    format_name: Format = "parquet",
    runs: Sequence[str] | None = None,
    text: bool = False,
) -> Exported:
    """Write `what` of runs (default: all) to FOLDER/run=NAME/WHAT.FORMAT, whole or not at all.

    `text` adds the completions to samples. Raises BadParameter when the folder holds anything already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BadParameter(f"{folder} is not empty: name a new folder to export to.")
    made = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(made, ignore_errors=True)
    files, rows = [], 0
    try:
        for run in find_runs(snapshot, runs):
            file = made / f"run={quote(run.name, safe='@ ._-')}" / f"{what}.{format_name}"
            written = _write(file, format_name, _portions(snapshot, what, run, text))
            if written is not None:
                files.append(folder / file.relative_to(made))
                rows += written
        made.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Exported(tuple(files), rows)


def _portions(snapshot: Snapshot, what: What, run: Run, text: bool) -> Iterator[pa.Table]:
    if what == "curves":
        yield from _curves(snapshot, run)
        return
    query = _VERDICTS if what == "verdicts" else _SAMPLES
    for portion in _conditions(snapshot, run, what, TEXT_PORTION if text else PORTION):
        values = {"run": quoted(run.name), "portion": portion}
        completions = _COMPLETIONS.format(**values) if text else ""
        yield snapshot.table(query.format(**values, text=", t.completion" if text else "", completions=completions))


def _conditions(snapshot: Snapshot, run: Run, what: What, most: int) -> Iterator[str]:
    """What holds of about `most` rows each, in order: those of some problems, or of a range of one's samples."""
    of_run = f"run_id = {run.run_id} AND problem_id"
    counts = snapshot.rows(
        f"SELECT problem_id, count(*) AS rows, max(sample_index) + 1 AS samples FROM {what} "  # noqa: S608
        f"JOIN problems AS q USING (problem_id) WHERE run_id = {run.run_id} GROUP BY problem_id, q.position "
        "ORDER BY q.position, problem_id"
    )
    group: list[str] = []
    size = 0
    for row in counts:
        if group and size + row["rows"] > most:
            yield f"{of_run} IN ({', '.join(group)})"
            group, size = [], 0
        if row["rows"] <= most:
            group.append(str(row["problem_id"]))
            size += row["rows"]
            continue
        step = -(-row["samples"] * most // row["rows"])
        for first in range(0, row["samples"], step):
            yield f"{of_run} = {row['problem_id']} AND sample_index >= {first} AND sample_index < {first + step}"
    if group:
        yield f"{of_run} IN ({', '.join(group)})"


def _curves(snapshot: Snapshot, run: Run) -> Iterator[pa.Table]:
    """The coverage of a run by every verifier that judged it; nothing for a run without verdicts."""
    for row in snapshot.query("run_verifiers", run=run.name).records():
        yield snapshot.query("coverage", run=run.name, verifier=row["verifier"], policy="complete_case").table


def _write(file: Path, format_name: Format, portions: Iterator[pa.Table]) -> int | None:
    """Write tables of one schema to a file; how many rows there were, None (and no file) where there is no table."""
    first = next(portions, None)
    if first is None:
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    with _WRITERS[format_name](file, first.schema) as write:
        for table in _chain(first, portions):
            write(table.cast(first.schema))
            rows += table.num_rows
    return rows


def _chain(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest


class _Writer(ABC):
    """A file that tables of one schema are written to one after the other."""

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self.file, self.schema = file, schema
        self._open: Any = None

    @abstractmethod
    def __enter__(self) -> Callable[[pa.Table], None]:
        """Open the file; what is returned writes a table to it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


class _Parquet(_Writer):
    def __enter__(self) -> Callable[[pa.Table], None]:
        self._open = pq.ParquetWriter(self.file, self.schema, compression="zstd")
        write: Callable[[pa.Table], None] = self._open.write_table
        return write


class _Csv(_Writer):
    def __enter__(self) -> Callable[[pa.Table], None]:
        self._open = pacsv.CSVWriter(self.file, self.schema)
        write: Callable[[pa.Table], None] = self._open.write_table
        return write


class _Jsonl(_Writer):
    """Moments in ISO 8601 (UTC); what JSON has no number for is null. DuckDB spells rows sooner than Python."""

    def __enter__(self) -> Callable[[pa.Table], None]:
        self._open = self.file.open("wb")
        self._portion = self.file.with_suffix(".portion")
        self._connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
        self._connection.execute("SET TimeZone = 'UTC'")
        spelled = ", ".join(map(_spelled, self.schema))
        copy = f"COPY (SELECT {spelled} FROM portion) TO {quoted(self._portion)} (FORMAT json)"  # noqa: S608 - the contract's names

        def write(table: pa.Table) -> None:
            self._connection.register("portion", table)
            self._connection.execute(copy)
            with self._portion.open("rb") as portion:
                shutil.copyfileobj(portion, self._open)

        return write

    def __exit__(self, *left: Any) -> None:
        super().__exit__(*left)
        self._connection.close()
        self._portion.unlink(missing_ok=True)


def _spelled(column: pa.Field) -> str:
    """A column as JSON is to have it, for DuckDB."""
    name = identifier(column.name)
    if pa.types.is_timestamp(column.type):
        return f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%f+00:00') AS {name}"
    if pa.types.is_floating(column.type):
        return f"CASE WHEN isfinite({name}) THEN {name} END AS {name}"
    return name


_WRITERS: dict[str, type[_Writer]] = {"parquet": _Parquet, "csv": _Csv, "jsonl": _Jsonl}
