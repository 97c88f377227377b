"""Questions to the stored samples: the mirror, its snapshots, and the statistics over them.

Names are loaded when they are first asked for: the process that runs analysts' SQL imports this package too, and must
be confined before any thread or library is there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.analytics.concepts import CatalogueEntry
    from store.analytics.errors import NoSnapshot
    from store.analytics.lattice import k_lattice
    from store.analytics.result import Result
    from store.analytics.snapshot import Snapshot, TableInfo, open_snapshot
    from store.analytics.sql_runner import SqlLimits, SqlResult, run_sql

__all__ = [
    "CatalogueEntry",
    "NoSnapshot",
    "Result",
    "Snapshot",
    "SqlLimits",
    "SqlResult",
    "TableInfo",
    "k_lattice",
    "open_snapshot",
    "run_sql",
]

_HOME = {
    "CatalogueEntry": "concepts",
    "NoSnapshot": "errors",
    "Result": "result",
    "Snapshot": "snapshot",
    "SqlLimits": "sql_runner",
    "SqlResult": "sql_runner",
    "TableInfo": "snapshot",
    "k_lattice": "lattice",
    "open_snapshot": "snapshot",
    "run_sql": "sql_runner",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
