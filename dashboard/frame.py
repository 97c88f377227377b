"""What surrounds every page: title, freshness, notices, empty states, and errors in words."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import access, readers, snapshots
from dashboard.controls import Controls
from dashboard.folded import folded
from dashboard.freshness import freshness, take_new
from dashboard.snapshots import Reading
from dashboard.view_menu import link_menu, saved_menu
from dashboard.ways import arrive, open_page
from dashboard.wording import plain, plural, told
from store.analytics import NoSnapshot
from store.errors import PassatkError

_log = logging.getLogger("passatk.dashboard")

#: A card is at least so wide, pixels: five of them beside each other in a window of 1280.
CARD_WIDTH = 150

Body = Callable[[Reading, Controls], None]


def view(
    title: str, question: str, unread: Callable[[Controls], None] | None = None
) -> Callable[[Body], Callable[[], None]]:
    """Make a page of a body that draws from a snapshot; `question` is the line under its title.

    `unread` draws what the page shows of the store itself, where there is no snapshot yet.
    """

    def decorate(body: Body) -> Callable[[], None]:
        def page() -> None:
            head = st.container(
                horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"
            )
            with head:
                st.title(title, anchor=False, width="content")
            _guarded(lambda: _shown(title, question, body, head, unread))

        page.__name__ = body.__name__
        page.__doc__ = question
        return page

    return decorate


def _shown(
    title: str, question: str, body: Body, head: DeltaGenerator, unread: Callable[[Controls], None] | None
) -> None:
    if not readers.may("viewer"):
        _not_let_in()
        return
    try:
        reading = snapshots.current()
    except NoSnapshot as error:
        _empty_mirror(error)
        if unread is not None:
            unread(Controls(title, "none"))
        return
    controls = Controls(title, reading.id)
    with head, st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        freshness(reading)
        link = st.container(width="content")
        arrive()
    st.caption(question)
    notice = st.container()
    try:
        body(reading, controls)
        controls.finish()
    finally:
        with notice:
            _link_notice(controls, reading)
    with link, st.container(horizontal=True, gap="small", width="content"):
        link_menu(controls)
        saved_menu(controls)


def _not_let_in() -> None:
    """Nothing is read for whoever has no role."""
    who = readers.reader().name
    if access.current().by == "oidc" and who is None:
        ended = st.user.get("is_logged_in")
        st.info("Your login has ended. Log in again." if ended else "This dashboard asks who you are.")
        st.button("Log in", type="primary", on_click=st.login)
        return
    named = f"{plain(who)} has" if who else "Nobody is named by the proxy, so there is"
    st.error(f"{named} no role here. Ask whoever keeps the dashboard's access file.")


def _guarded(body: Callable[[], None]) -> None:
    try:
        body()
    except PassatkError as error:
        st.error(told(str(error)))
    except Exception as error:
        mark = uuid.uuid4().hex[:8]
        _log.exception("page failed, error id %s", mark)
        st.error(f"This page failed by a fault of its own. The dashboard's log has the details under error id {mark}.")
        st.caption("To report it, copy this:")
        st.code(_details(mark, error), language=None, wrap_lines=True)


def _details(mark: str, error: Exception) -> str:
    """What a report of a fault needs, without anything that a page has read."""
    address = (st.context.url or "").split("?")[0]
    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"error id {mark} · {type(error).__name__} · {address} · {at} · passatk {version('passatk')}"


def _link_notice(controls: Controls, reading: Reading) -> None:
    asked = controls.link.text("snapshot")
    said = controls.link.said()
    if said:
        st.warning(said)
    if asked is not None and asked != reading.id:
        st.info(f"This link was made from snapshot {asked[:40]}; you read {reading.id}, so numbers may differ.")


def _empty_mirror(error: NoSnapshot) -> None:
    st.info(told(str(error)))
    st.markdown("Pages read a copy of the store. Make the first copy, here or on the command line:")
    st.code("passatk mirror refresh", language="bash")
    if st.button("Take first snapshot", type="primary"):
        take_new()


def card_columns(cards: int) -> int:
    """How many cards stand side by side where there is room: one row up to six, seven as four and three."""
    return max(3, cards) if cards <= 6 else -(-cards // 2)


def no_runs() -> None:
    """What to do while the snapshot holds no run."""
    st.info("No runs yet. Import a benchmark, start a run, then take a new snapshot:")
    st.code(
        "passatk benchmark import problems.jsonl --name mine --format jsonl\n"
        "passatk run create --benchmark mine --model MODEL --samples 100 --name first\n"
        "passatk run start first\n"
        "passatk worker generate --model MODEL  # draws, until stopped: in a terminal of its own\n"
        "passatk worker verify                  # judges, in another\n"
        "passatk mirror refresh",
        language="bash",
    )


def behind_chart(key: str, sql: str, notes: Sequence[str] = (), caption: str = "") -> None:
    """The SQL behind a chart, which returns the same numbers in `passatk sql`."""

    def fill() -> None:
        for note in notes:
            st.caption(plain(note))
        if caption:
            st.caption(caption)
        st.code(sql, language="sql", wrap_lines=True)

    folded("SQL behind this chart", f"{key} SQL", fill)


def undecided_chip(undecided: int, run: str | None = None) -> None:
    """Say how many samples no verifier could decide; a press leads to Data health, of this run where there is one."""
    if undecided and st.button(
        f"{plural(undecided, 'undecided sample')} left out",
        key="undecided",
        icon=":material/help:",
        type="tertiary",
        help="The verifier or its host broke on them. They leave n and do not count as wrong. Opens Data health.",
    ):
        open_page("health", **({} if run is None else {"of": run}))
