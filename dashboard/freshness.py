"""The line beside every title: which state is on screen, how old it is, what the store has since, and how to get it."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import streamlit as st

from dashboard import live, snapshots
from dashboard.snapshots import Reading
from dashboard.wording import ago, clock, plural, told
from store.analytics import Snapshot
from store.errors import PassatkError

#: A snapshot older than this is pointed out, seconds.
_OLD_SECONDS = 15 * 60
#: How often the age of the snapshot is looked at, seconds, and until the store has answered a first time.
_LOOK_SECONDS, _FIRST_SECONDS = 15, 3


def freshness(reading: Reading) -> None:
    """The line, in a fragment that looks again by itself; PASSATK_LIVE=0 turns that off."""
    seconds = None
    if live_is_on():
        seconds = _LOOK_SECONDS if live.has_answered() else _FIRST_SECONDS
    st.fragment(_line, run_every=seconds)(reading)


def live_is_on() -> bool:
    """Whether pages may look at the store by themselves."""
    return os.environ.get("PASSATK_LIVE") != "0"


def held(reading: Reading) -> tuple[int, int]:
    """(samples, verdicts) that the snapshot holds, counted as the store counts its own: by their batches."""
    return _held(reading.id, reading.snapshot)


@st.cache_resource(max_entries=8, show_spinner=False)
def _held(snapshot_id: str, _snapshot: Snapshot) -> tuple[int, int]:
    (row,) = _snapshot.rows(
        "SELECT coalesce(sum(row_count) FILTER (verifier_id IS NULL), 0)::BIGINT AS samples, "
        "coalesce(sum(row_count) FILTER (verifier_id IS NOT NULL), 0)::BIGINT AS verdicts "
        "FROM batches WHERE state = 'done'"
    )
    return row["samples"], row["verdicts"]


def since(stored: live.Stored, samples: int, verdicts: int) -> str:
    """What the store has that a snapshot with so many rows lacks, in words; empty when nothing or not known."""
    newer = max(0, (stored.verdicts or 0) - verdicts)
    if newer:
        return f"{plural(newer, 'newer verdict')} in the store"
    newer = max(0, (stored.samples or 0) - samples)
    return f"{plural(newer, 'newer sample')} in the store" if newer else ""


def _line(reading: Reading) -> None:
    now = datetime.now(UTC)
    age = (now - reading.taken_at).total_seconds()
    day = "" if reading.taken_at.date() == now.date() else f"{reading.taken_at:%Y-%m-%d} "
    stored = live.stored() if live_is_on() else live.Stored()
    parts = [
        f"Snapshot {day}{clock(reading.taken_at)} UTC",
        f"taken {ago(reading.taken_at, now)}",
        since(stored, *held(reading)),
    ]
    newer = snapshots.newer_is_published(reading)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        if stored.gone_since is not None:
            st.badge(
                f"Store not reachable since {stored.gone_since:%H:%M} UTC",
                icon=":material/cloud_off:",
                color="red",
                help=f"Showing the last snapshot. {told(stored.error or '')}",
            )
        elif newer:
            st.badge("A newer snapshot is published", icon=":material/update:", color="orange")
        elif age > _OLD_SECONDS:
            st.badge("Older than 15 min", icon=":material/schedule:", color="orange")
        # On a phone the line breaks between its parts, not inside one.
        first, *more = (part for part in parts if part)
        st.caption(" · ".join([first, *(part.replace(" ", "\N{NO-BREAK SPACE}") for part in more)]), width="content")
        if newer and st.button("Show the newer one", type="tertiary", key="show newer"):
            snapshots.read_newest()
            st.rerun()
        if not newer and st.button(
            "Take new snapshot",
            type="tertiary",
            icon=":material/refresh:",
            key="take new",
            help="Copies what the store has written since, then shows it. Numbers never change without this.",
        ):
            take_new()


def take_new() -> None:
    """Take a snapshot and show it; where that fails the last one stays, and it is said."""
    try:
        with st.spinner("Taking a new snapshot"):
            snapshots.take_new()
    except PassatkError as error:
        st.warning(f"Showing the last snapshot. {told(str(error))}")
        return
    st.rerun()
