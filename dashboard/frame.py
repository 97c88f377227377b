"""What surrounds every page: title, freshness, notices, empty states, and errors in words."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import access, readers, snapshots
from dashboard.controls import Controls
from dashboard.snapshots import Reading
from dashboard.wording import ago, plain, plural
from store.analytics import NoSnapshot
from store.errors import PassatkError

_log = logging.getLogger("passatk.dashboard")
#: A snapshot older than this is pointed out, seconds.
_OLD_SECONDS = 15 * 60
#: How often the age of the snapshot is looked at, seconds; PASSATK_LIVE=0 turns it off.
_LOOK_SECONDS = 15

Body = Callable[[Reading, Controls], None]


def view(title: str, question: str) -> Callable[[Body], Callable[[], None]]:
    """Make a page of a body that draws from a snapshot; `question` is the line under its title."""

    def decorate(body: Body) -> Callable[[], None]:
        def page() -> None:
            head = st.container(
                horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"
            )
            with head:
                st.title(title, anchor=False, width="content")
            _guarded(lambda: _shown(title, question, body, head))

        page.__name__ = body.__name__
        page.__doc__ = question
        return page

    return decorate


def _shown(title: str, question: str, body: Body, head: DeltaGenerator) -> None:
    if not readers.may("viewer"):
        _not_let_in()
        return
    try:
        reading = snapshots.current()
    except NoSnapshot as error:
        _empty_mirror(error)
        return
    controls = Controls(title, reading.id)
    with head, st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        freshness(reading)
        link = st.container(width="content")
    st.caption(question)
    notice = st.container()
    try:
        body(reading, controls)
        controls.finish()
    finally:
        with notice:
            _link_notice(controls, reading)
    with link, st.popover("Link", type="tertiary", icon=":material/link:", help="The address of exactly this view"):
        st.caption("This address holds every choice on the page and the snapshot it was made from.")
        st.code(controls.permalink(), language=None, wrap_lines=True)


def _not_let_in() -> None:
    """Nothing is read for whoever has no role."""
    who = readers.reader().name
    if access.current().by == "oidc" and who is None:
        st.info("This dashboard asks who you are.")
        st.button("Log in", type="primary", on_click=st.login)
        return
    named = f"{plain(who)} has" if who else "Nobody is named by the proxy, so there is"
    st.error(f"{named} no role here. Ask whoever keeps the dashboard's access file.")


def _guarded(body: Callable[[], None]) -> None:
    try:
        body()
    except PassatkError as error:
        st.error(str(error))
    except Exception:
        mark = uuid.uuid4().hex[:8]
        _log.exception("page failed, error id %s", mark)
        st.error(f"This page failed by a fault of its own. The dashboard's log has the details under error id {mark}.")


def _link_notice(controls: Controls, reading: Reading) -> None:
    asked = controls.link.text("snapshot")
    said = controls.link.said()
    if said:
        st.warning(said)
    if asked is not None and asked != reading.id:
        st.info(f"This link was made from snapshot {asked[:40]}; you read {reading.id}, so numbers may differ.")


def freshness(reading: Reading) -> None:
    """One line: which state is on screen, how old it is, whether there is a newer one, and how to get it."""
    seconds = None if os.environ.get("PASSATK_LIVE") == "0" else _LOOK_SECONDS
    st.fragment(_freshness, run_every=seconds)(reading)


def _freshness(reading: Reading) -> None:
    now = datetime.now(UTC)
    age = (now - reading.taken_at).total_seconds()
    day = "" if reading.taken_at.date() == now.date() else f"{reading.taken_at:%Y-%m-%d} "
    text = f"Snapshot {day}{reading.taken_at:%H:%M:%S} UTC · taken {ago(reading.taken_at, now)}"
    newer = snapshots.newer_is_published(reading)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        if newer:
            st.badge("A newer snapshot is published", icon=":material/update:", color="orange")
        elif age > _OLD_SECONDS:
            st.badge("Older than 15 min", icon=":material/schedule:", color="orange")
        st.caption(text, width="content")
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
            _take_new()


def _take_new() -> None:
    try:
        with st.spinner("Taking a new snapshot"):
            snapshots.take_new()
    except PassatkError as error:
        st.warning(f"Showing the last snapshot. {error}")
        return
    st.rerun()


def _empty_mirror(error: NoSnapshot) -> None:
    st.info(str(error))
    st.markdown("Pages read a copy of the store. Make the first copy, here or on the command line:")
    st.code("passatk mirror refresh", language="bash")
    if st.button("Take first snapshot", type="primary"):
        _take_new()


def no_runs() -> None:
    """What to do while the snapshot holds no run."""
    st.info("No runs yet. Import a benchmark, start a run, then take a new snapshot:")
    st.code(
        "passatk benchmark import problems.jsonl --name mine --format jsonl\n"
        "passatk run create --benchmark mine --model MODEL --samples 100 --name first\n"
        "passatk run start first\n"
        "passatk mirror refresh",
        language="bash",
    )


def behind_chart(sql: str, notes: tuple[str, ...] = ()) -> None:
    """The SQL behind a chart, which returns the same numbers in `passatk sql`."""
    with st.expander("SQL behind this chart"):
        for note in notes:
            st.caption(note)
        st.code(sql, language="sql", wrap_lines=True)


def undecided_chip(undecided: int) -> None:
    """Say how many samples no verifier could decide."""
    if undecided:
        st.badge(
            f"{plural(undecided, 'undecided sample')} left out",
            icon=":material/help:",
            color="orange",
            help="The verifier or its host broke on them. They leave n and do not count as wrong. See Data health.",
        )
