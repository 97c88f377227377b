"""Members of a zip archive, one at a time; also those packed with Zstandard, which this Python's zipfile cannot."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile
from store.importers.sources import parsed

_ZSTANDARD = 93
#: Size of a member's own header, and where in it the lengths of its name and its extra field are.
_HEADER, _LENGTHS = 30, slice(26, 30)


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; one that is not whole is told in one line."""
    if not path.is_file():
        raise BadFile(f"{path}: no such file.")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError, zlib.error, OSError) as error:
        raise BadFile(f"{path}: not a whole zip archive ({error}).") from error


def member_bytes(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member, unpacked."""
    found = archive.getinfo(name)
    if found.compress_type != _ZSTANDARD:
        try:
            return archive.read(name)
        except NotImplementedError as error:
            raise BadFile(f"{archive.filename}/{name}: packed in a way that is not known here ({error}).") from error
    import pyarrow as pa

    stream: Any = archive.fp
    stream.seek(found.header_offset)
    header = stream.read(_HEADER)
    skipped = int.from_bytes(header[_LENGTHS][:2], "little") + int.from_bytes(header[_LENGTHS][2:], "little")
    stream.seek(found.header_offset + _HEADER + skipped)
    packed = stream.read(found.compress_size)
    with pa.CompressedInputStream(io.BytesIO(packed), "zstd") as unpacked:
        return bytes(unpacked.read())


def member_json(archive: zipfile.ZipFile, name: str) -> Any:
    """A member as JSON, NaN and Infinity included. Raises BadFile naming the member."""
    try:
        return parsed(member_bytes(archive, name), lenient=True)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{archive.filename}/{name}: not JSON: {error}.") from error
