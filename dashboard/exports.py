"""`/api/export`: the whole answer of a query as CSV or Parquet, streamed from the query's own process.

A page hands out tickets, each good for one text, and only for the reader and the browser that it was made for; a
program asks with the text itself:
`curl 'http://127.0.0.1:8501/api/export?format=csv&query=SELECT ...'`.
"""

from __future__ import annotations

import io
import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from dashboard import access, login
from dashboard.login import Holder
from store.analytics import NoSnapshot
from store.analytics.sql_export import SqlExport
from store.errors import PassatkError
from store.settings import StoreSettings

_log = logging.getLogger("passatk.dashboard")
PATH = "/api/export"
FORMATS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
#: Rows gathered before they are written: a row group of Parquet.
_ROWS = 65_536
#: Tickets kept; the oldest is forgotten first.
_MOST_TICKETS = 500


@dataclass(frozen=True)
class Ticket:
    """What may be downloaded: a query's text, by whom (None: whoever may ask), and a name for the file."""

    text: str
    holder: Holder | None = None
    name: str = "result"


_tickets: OrderedDict[str, Ticket] = OrderedDict()
_lock = threading.Lock()


def ticket(text: str, holder: Holder, name: str = "result") -> str:
    """A key by which its holder can download this text, from this server, while it is remembered."""
    key = secrets.token_urlsafe(18)
    with _lock:
        _tickets[key] = Ticket(text, holder, name)
        while len(_tickets) > _MOST_TICKETS:
            _tickets.popitem(last=False)
    return key


def address(key: str, kind: str) -> str:
    """Where a ticket is redeemed."""
    return f"{PATH}?ticket={key}&format={kind}"


async def export(request: Request) -> Response:
    """The endpoint: 200 and a stream; 400 or 403 and one line."""
    kind = request.query_params.get("format", "csv")
    if kind not in FORMATS:
        return PlainTextResponse(f'No format "{kind[:20]}"; there are: {", ".join(FORMATS)}.\n', 400)
    try:
        wanted = _wanted(request)
        # Started in a thread: a query may think for a while before its first row.
        opened = await run_in_threadpool(SqlExport, wanted.text, StoreSettings.from_environment().mirror)
    except access.NotAllowed as error:
        return PlainTextResponse(f"{error}\n", 403)
    except NoSnapshot as error:
        return PlainTextResponse(f"{error}\n", 503)
    except PassatkError as error:
        return PlainTextResponse(f"{error}\n", 400)
    headers = {"content-disposition": f'attachment; filename="{wanted.name}.{kind}"', "cache-control": "no-store"}
    return StreamingResponse(_stream(opened, kind), media_type=FORMATS[kind], headers=headers)


def _wanted(request: Request) -> Ticket:
    reader = login.reader_of(dict(request.headers), request.cookies)
    access.require("analyst", reader)
    key = request.query_params.get("ticket")
    if key is not None:
        with _lock:
            found = _tickets.get(key)
        if found is None:
            raise PassatkError("This download is no longer known: run the query again, then download.")
        if found.holder != login.holder(reader, request.cookies):
            raise access.NotAllowed("Another reader or browser asked for this: run the query here, then download.")
        return found
    text = request.query_params.get("query", "")
    if not text.strip():
        raise PassatkError("Give a query: /api/export?format=csv&query=SELECT ...")
    return Ticket(text)


def _stream(opened: SqlExport, kind: str) -> Iterator[bytes]:
    """The bytes of the file. A late error breaks the transfer off, so that no half file looks whole."""
    with opened:
        writer = _Csv(opened.schema) if kind == "csv" else _Parquet(opened.schema)
        try:
            for batch in _gathered(opened):
                yield writer.write(batch)
        except PassatkError as error:
            _log.warning("an export was broken off: %s", error)
            raise
        yield writer.end()


def _gathered(opened: SqlExport) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in opened.batches():
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= _ROWS:
            yield pa.Table.from_batches(waiting, opened.schema)
            waiting, rows = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting, opened.schema)


class _Sink(io.RawIOBase):
    """A file that is only written to, emptied as it is passed on."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _Csv:
    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Sink()
        self._schema = pa.schema([pa.field(field.name, _flat_type(field.type)) for field in schema])
        self._writer = csv.CSVWriter(self._sink, self._schema)

    def write(self, table: pa.Table) -> bytes:
        self._writer.write_table(flat(table))
        return self._sink.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()


class _Parquet:
    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, schema, compression="zstd")

    def write(self, table: pa.Table) -> bytes:
        self._writer.write_table(table)
        return self._sink.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()


def _flat_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_nested(kind) else kind


def flat(table: pa.Table) -> pa.Table:
    """The table with lists and structs, which CSV has not, written as text."""
    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            values = table.column(place).to_pylist()
            text = pa.array([None if value is None else str(value) for value in values], pa.string())
            table = table.set_column(place, pa.field(field.name, pa.string()), text)
    return table


async def ready(request: Request) -> Response:
    """For load balancers: 200 once the server answers; whether there is a snapshot is a reader's question."""
    return PlainTextResponse("ready\n")


def routes() -> list[Route]:
    """The routes beside the pages."""
    return [Route(PATH, export, methods=["GET"]), Route("/api/ready", ready, methods=["GET"])]
