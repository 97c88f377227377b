"""How values are given to the typed questions, and where they read from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

#: One name or several; of runs the first is the baseline where there is one.
Names = str | Sequence[str]
#: One number of samples or several.
Budgets = int | Sequence[int]
#: One amount or several.
Amounts = float | Sequence[float]


def open(mirror: Path | str | None = None) -> Snapshot:  # noqa: A001 - as people say it: `pa.open()`
    """The last published state of a mirror (default: PASSATK_MIRROR's); raises NoSnapshot when there is none."""
    from store.analytics.snapshot import open_snapshot

    return open_snapshot(None if mirror is None else Path(mirror))
