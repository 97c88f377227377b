"""Opening what others wrote: JSON lines, one-line JSON arrays of any size, Parquet, folders; one record at a time."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import ijson

from store.benchmark_formats import BadFile
from store.fingerprint import combined, file_hash
from store.importers.records import Fault, Item

Placed = tuple[str, dict[str, Any]]
_LINE_ENDINGS = (".jsonl", ".ndjson")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where it ends in .gz; what the system says of it becomes one line."""
    if not path.is_file():
        raise BadFile(f"{path}: no such file.")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield cast("IO[bytes]", stream)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadFile(f"{path}: not a whole gzip file ({error}).") from error
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror}).") from error


def ending(path: Path) -> str:
    """The ending of a name, .gz put aside, in lower case."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def stem(path: Path) -> str:
    """A name without .gz and the ending before it."""
    return Path(path.name.removesuffix(".gz")).stem


def records(path: Path, lenient: bool = False) -> Iterator[Placed | Fault]:
    """The records of a Parquet file, of JSON lines, or of one JSON array; a bad line does not hide those behind it."""
    if ending(path) == ".parquet":
        yield from parquet_rows(path)
    elif ending(path) in _LINE_ENDINGS or first_byte(path) != b"[":
        yield from lines(path, lenient)
    else:
        yield from array_items(path)


def first_byte(path: Path) -> bytes:
    """The first byte of a file that is not white space; empty for an empty file."""
    with opened(path) as stream:
        for chunk in iter(lambda: stream.read(4096), b""):
            bare = chunk.removeprefix(b"\xef\xbb\xbf").lstrip()
            if bare:
                return bare[:1]
    return b""


def lines(path: Path, lenient: bool = False) -> Iterator[Placed | Fault]:
    """One JSON object a line. With `lenient`, NaN and Infinity are numbers, as Python writes them."""
    with opened(path) as stream:
        # Decoded line by line: a text stream decodes ahead and would blame a bad byte on an earlier line.
        for number, raw in enumerate(stream, start=1):
            place = f"{path}:{number}"
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                yield Fault(f"{place}: not UTF-8 text ({error.reason}).")
                continue
            if line.strip():
                yield _object(line, place, lenient)


def json_lines(path: Path) -> Iterator[Placed]:
    """As `lines`, for files that are taken whole or not at all: the first bad line raises BadFile."""
    for one in lines(path):
        if isinstance(one, Fault):
            raise BadFile(one.message)
        yield one


def _object(line: str, place: str, lenient: bool) -> Placed | Fault:
    try:
        value = parsed(line, lenient)
    except (ValueError, RecursionError) as error:
        return Fault(f"{place}: not JSON: {error}. Each line must be one JSON object.")
    if not isinstance(value, dict):
        return Fault(f"{place}: a JSON object is wanted, found {type(value).__name__}.")
    return place, value


def parsed(text: str | bytes, lenient: bool = False) -> Any:
    """JSON as a value; NaN and Infinity only when `lenient`."""
    return json.loads(text) if lenient else json.loads(text, parse_constant=_refused)


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def array_items(path: Path, prefix: str = "item") -> Iterator[Placed]:
    """The objects of a JSON array, one at a time, whatever the length of its one line."""
    for position, value in enumerate(values(path, prefix)):
        place = f"{path}[{position}]"
        if not isinstance(value, dict):
            raise BadFile(f"{place}: a JSON object is wanted, found {type(value).__name__}.")
        yield place, value


def values(path: Path, prefix: str) -> Iterator[Any]:
    """The values at a place within a JSON file, as `ijson` spells it: `item` for the entries of an array."""
    with opened(path) as stream, _json_told(path):
        yield from ijson.items(stream, prefix, use_float=True)


def members(path: Path, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The (name, value) pairs of an object within a JSON file, one at a time."""
    with opened(path) as stream, _json_told(path):
        yield from ijson.kvitems(stream, prefix, use_float=True)


@contextmanager
def _json_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (ijson.JSONError, UnicodeDecodeError, ValueError) as error:
        detail = " ".join(str(error).split())[:200]
        raise BadFile(f"{path}: not whole JSON: {detail}.") from error


def whole_json(path: Path) -> Any:
    """A small JSON file, whole."""
    with opened(path) as stream:
        try:
            return json.loads(stream.read())
        except (ValueError, RecursionError) as error:
            raise BadFile(f"{path}: not JSON: {error}.") from error


def parquet_rows(path: Path, rows_at_once: int = 256) -> Iterator[Placed]:
    """The rows of a Parquet file as objects, a few at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise BadFile(f"{path}: no such file.")
    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=rows_at_once):
                for row in batch.to_pylist():
                    yield f"{path}[{number}]", row
                    number += 1
    except (pa.ArrowException, OSError) as error:
        raise BadFile(f"{path}: not a whole Parquet file ({' '.join(str(error).split())[:200]}).") from error


def each(found: Iterable[Placed | Fault], parse: Callable[[dict[str, Any], str], Item]) -> Iterator[Item]:
    """Parse every record; one that cannot be read becomes a fault and the next is read."""
    for one in found:
        if isinstance(one, Fault):
            yield one
            continue
        place, record = one
        try:
            yield parse(record, place)
        except BadFile as error:
            yield Fault(str(error))


def listed(path: Path, *patterns: str) -> list[Path]:
    """The files of a folder (at any depth) that match a pattern, by name; a file is its own list."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise BadFile(f"{path}: no such file or folder.")
    return sorted({found for pattern in patterns for found in path.rglob(pattern) if found.is_file()})


def content_hash(path: Path) -> str:
    """sha256 over a file's bytes, or over names and bytes of every file of a folder."""
    if path.is_file():
        return file_hash(path)
    files = listed(path, "*")
    return combined(part for file in files for part in (str(file.relative_to(path)), file_hash(file)))


def locator(place: str, path: Path) -> str:
    """A place within the source alone: `line 3`, `record 4`, `sub/file.jsonl:3`."""
    inside = place.removeprefix(str(path))
    if inside.startswith(":"):
        return f"line {inside[1:]}"
    if inside.startswith("["):
        return f"record {inside[1:].replace(']', '', 1)}"
    return inside.lstrip("/") or path.name
