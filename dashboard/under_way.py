"""Runs under way just now, as the store has them: progress, rates, time left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import live
from dashboard.freshness import live_is_on
from dashboard.tables import separated
from dashboard.wording import duration, plain

Run = dict[str, Any]


def table(runs: Sequence[Run], key: str) -> None:
    """One row a run, as `passatk live` tells of it."""
    rows = [
        {
            "run": one["run"],
            "status": _status(one),
            "drawn": (one["samples"] / one["wanted"]) if one["wanted"] else None,
            "samples": one["samples"],
            "judged": one["judged"],
            "samples/s": round(float(one["samples_per_second"]), 1),
            "verdicts/s": round(float(one["verdicts_per_second"]), 1),
            "ETA": _eta(one),
            "batches open": one["open_batches"],
            "set aside": one["failed_batches"],
            "last error": plain((one["error"] or "")[:200]),
        }
        for one in runs
    ]
    drawn = st.column_config.ProgressColumn("drawn", min_value=0.0, max_value=1.0, format="percent")
    st.dataframe(rows, hide_index=True, column_config=separated(rows) | {"drawn": drawn}, alt="Runs under way", key=key)


def strip() -> None:
    """The runs that have work left, looked at again every few seconds; nothing while there are none.

    It stands below what is read from the snapshot, so that nothing there moves when it comes or goes.
    """
    if live_is_on():
        st.fragment(_strip, run_every=live.EVERY)()


def _strip() -> None:
    state, gone = live.heard()
    busy = [one for one in (state or {}).get("runs", []) if one["open_batches"]]
    if not busy or gone:
        return
    st.header("Under way now", anchor=False)
    table(busy, "runs under way")
    st.caption("Read from the store now; everything above is of the snapshot. Workers shows more.")


def _status(run: Run) -> str:
    if run["stalled"]:
        return "stalled"
    if run["state"] != "open":
        return str(run["state"])
    return "running" if run["open_batches"] else "idle"


def _eta(run: Run) -> str:
    left = (run["wanted"] or 0) - run["samples"]
    rate = float(run["samples_per_second"])
    if left <= 0 or not run["wanted"]:
        return ""
    return duration(left / rate) if rate else "no progress"
