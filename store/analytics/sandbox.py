"""The process that runs one analyst's query and ends: confined first, then locked down, then gated.

Reads one JSON request from standard input; writes the rows to standard output as an Arrow stream and one JSON line to
standard error that says how it went. Started by `store.analytics.sql_runner` only.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from store.analytics.confinement import leave_network, limit, read_only
from store.analytics.literals import quoted

#: Types that Arrow lacks: DuckDB ends the process for some, and makes of others a number or bytes that say less.
_WITHOUT_ARROW = frozenset(
    {"variant", "uhugeint", "time with time zone", "time_ns", "interval", "bit", "bignum", "geometry", "type"}
)
_NESTED = frozenset({"list", "array", "struct", "map", "union"})


def main() -> None:
    """Answer the one request and leave without waiting for anything."""
    leave_network()
    request = json.load(sys.stdin)
    # Everything is imported now: afterwards this process can read the mirror and nothing else.
    import duckdb
    import pyarrow as pa

    from store.analytics import sql_gate

    limit(request["address_space"], request["cpu_seconds"])
    catalogue, segments = Path(request["catalogue"]), Path(request["segments"])
    # One thread so far: the confinement holds for this thread and for those it starts from here on.
    connection = duckdb.connect(":memory:", config={"threads": "1"})
    read_only([catalogue, segments] if segments.exists() else [catalogue])
    try:
        _lock(connection, request, catalogue, segments)
        report = _answer(connection, request, sql_gate)
    except sql_gate.Refused as refusal:
        report = {"refused": str(refusal)}
    except (duckdb.Error, pa.ArrowException, MemoryError) as error:
        fault = isinstance(error, duckdb.InternalException | duckdb.FatalException)
        report = {"error": _one_line(error, request), "fault": fault}
    os.write(2, (json.dumps(report) + "\n").encode())
    os._exit(0)


def _one_line(error: BaseException, request: dict[str, Any]) -> str:
    import duckdb

    if isinstance(error, duckdb.InterruptException):
        return f"Stopped after {request['seconds']:g} s."
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        return f"The query needs more than its {request['memory']} of memory."
    return "\n".join(str(error).strip().splitlines()[:6]) or type(error).__name__


def _answer(connection: Any, request: dict[str, Any], gate: ModuleType) -> dict[str, Any]:
    watch = threading.Timer(request["seconds"], connection.interrupt)
    watch.daemon = True
    watch.start()
    started = time.monotonic()
    # The deadline of the parent, too, counts from here: starting a process takes as long as the machine is busy.
    os.write(2, b"started\n")
    text = gate.check(connection, request["text"])
    connection.execute(text)
    columns = [column[1] for column in connection.description or ()]
    types, lacking = [str(kind) for kind in columns], [_lacks_arrow(kind) for kind in columns]
    answer = _with_texts(connection.sql(text), lacking) if any(lacking) else connection
    rows, cut = _stream(answer, request)
    return {"types": types, "rows": rows, "cut": cut, "seconds": time.monotonic() - started}


def _lacks_arrow(kind: Any) -> bool:
    """Whether DuckDB hands on values of a type to Arrow changed, without their meaning, or not at all."""
    if kind.id in _NESTED:
        nameless = kind.id == "struct" and any(not name for name, _ in kind.children)
        return nameless or any(isinstance(child, type(kind)) and _lacks_arrow(child) for _, child in kind.children)
    return kind.id in _WITHOUT_ARROW


def _with_texts(relation: Any, lacking: list[bool]) -> Any:
    """The same rows with such columns as DuckDB writes them."""
    columns = []
    for place, (name, text) in enumerate(zip(relation.columns, lacking, strict=True), start=1):
        quoted_name = name.replace('"', '""')
        columns.append(f'#{place}{"::VARCHAR" if text else ""} AS "{quoted_name}"')
    return relation.project(", ".join(columns))


def _lock(connection: Any, request: dict[str, Any], catalogue: Path, segments: Path) -> None:
    """Show the connection the catalogue and its segments; afterwards nothing can change its settings any more."""
    run = connection.execute
    run(f"ATTACH {quoted(catalogue)} AS passatk (READ_ONLY)")
    run("USE passatk.analytics")
    # Order matters: paths first, then the door is shut, then the key is thrown away.
    for setting in (
        f"threads = {int(request['threads'])}",
        f"memory_limit = '{request['memory']}'",
        "temp_directory = ''",
        "TimeZone = 'UTC'",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        "python_enable_replacements = false",
        "enable_progress_bar = false",
        f"allowed_directories = [{quoted(str(segments) + os.sep)}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        run(f"SET {setting}")


def _stream(answer: Any, request: dict[str, Any]) -> tuple[int, str | None]:
    """Write rows up to the caps; says how many, and what cut them."""
    import pyarrow as pa

    reader = answer.to_arrow_reader(2048)
    rows, size, cut = 0, 0, None
    with os.fdopen(1, "wb") as out, pa.ipc.new_stream(out, reader.schema) as stream:
        for batch in reader:
            left = request["rows"] - rows
            if batch.num_rows > left:
                batch, cut = batch.slice(0, left), f"Cut at {request['rows']:,} rows."
            if size + batch.nbytes > request["bytes"]:
                share = max(0, request["bytes"] - size) / max(batch.nbytes, 1)
                batch, cut = batch.slice(0, int(batch.num_rows * share)), f"Cut at {request['bytes'] / 1e6:,.0f} MB."
            stream.write_batch(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if cut:
                break
    return rows, cut
