"""Files that appear whole or not at all: written beside their place and renamed when the last row is in."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store.errors import PassatkError

_ROWS_AT_ONCE = 1000


class FileUnwritable(PassatkError):
    """A file cannot be written."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write to; it takes its name when the block ends and is removed when it raises."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
    except OSError as error:
        raise FileUnwritable(f"{path}: cannot be written ({error.strerror}).") from error
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        raise FileUnwritable(f"{path}: cannot be written ({error.strerror}).") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill; it takes its name when the block ends. One that is there and not empty is refused."""
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise FileUnwritable(f"{path}: is there already; name a folder that is new or empty.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise FileUnwritable(f"{path}: cannot be written ({error.strerror}).") from error
    try:
        yield draft
        draft.chmod(0o755)
        if path.is_dir():
            path.rmdir()
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON lines; how many there were."""
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], ending: str) -> int:
    """Write rows as Parquet (ending `.parquet`) or JSON lines; how many there were."""
    return _write_parquet(path, rows) if ending == ".parquet" else write_lines(path, rows)


def _write_parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count, writer = 0, None
    try:
        for chunk in _chunks(rows):
            table = pa.Table.from_pylist(chunk, schema=None if writer is None else writer.schema)
            if writer is None:
                table = table.cast(_without_nulls(table.schema))
                writer = pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            count += len(chunk)
        if writer is None:
            pq.write_table(pa.table({}), path)
    finally:
        if writer is not None:
            writer.close()
    return count


def _without_nulls(schema: Any) -> Any:
    """The schema with columns that were null in the first rows as text: later rows may fill them."""
    import pyarrow as pa

    return pa.schema([field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in schema])


def _chunks(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(dict(row))
        if len(chunk) == _ROWS_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
