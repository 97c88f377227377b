"""What the first reader would wait for is loaded while the server starts."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from store.analytics import k_lattice, open_snapshot
from store.errors import PassatkError


@asynccontextmanager
async def warmed(_app: Any) -> AsyncIterator[None]:
    """Ask one question of each costly kind beside the start-up; the server does not wait for the answers."""
    threading.Thread(target=_ask, name="warm", daemon=True).start()
    yield


def _ask() -> None:
    import_module("dashboard.navigation")  # every page with it
    try:
        with open_snapshot() as snapshot:
            runs = [row for row in snapshot.query("run_summary").records() if row["judged"]]
            for row in runs[:1]:
                snapshot.query("coverage", run=row["run"], k=k_lattice(row["n_min"]))
    except PassatkError:
        return  # the pages say what is wrong
