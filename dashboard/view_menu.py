"""The menu beside a title: the address of exactly this view, and the views that people gave a name."""

from __future__ import annotations

import streamlit as st

from dashboard import readers, saved_views
from dashboard.controls import Controls
from dashboard.saved_views import LONGEST_NAME, SavedView
from dashboard.wording import plain, plural
from store.errors import PassatkError


def link_menu(controls: Controls) -> None:
    """The permalink, to be copied."""
    with st.popover("Link", type="tertiary", icon=":material/link:", help="The address of exactly this view"):
        st.caption("This address holds every choice on the page and the snapshot it was made from.")
        st.code(controls.permalink(), language=None, wrap_lines=True)


def saved_menu(controls: Controls) -> None:
    """Open a saved view, save this one, delete one."""
    with st.popover("Views", type="tertiary", icon=":material/bookmark:", help="Saved views: choices under a name"):
        try:
            views = saved_views.listed()
        except PassatkError as error:
            st.error(str(error))
            return
        for place, view in enumerate(views):
            _row(view, place)
        if not views:
            st.caption("No view is saved yet.")
        if readers.may("analyst"):
            _save(controls)
        else:
            st.caption("Analysts and operators may save views.")
        said = st.session_state.pop("view said", None)
        if said:
            st.error(plain(said))


def _row(view: SavedView, place: int) -> None:
    reader = readers.reader()
    by = f" by {view.by}" if view.by else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button(
            plain(view.name),
            key=f"open view {place}",
            type="tertiary",
            icon=":material/arrow_forward:",
            help=f"{view.path}, saved{plain(by)} on {view.at[:10]}",
        ):
            _open(view)
        if reader.may("operator") or (reader.may("analyst") and reader.name == view.by):
            st.button(
                "Delete",
                key=f"delete view {place}",
                type="tertiary",
                icon=":material/delete:",
                on_click=_try,
                args=(saved_views.delete, view.name),
            )


def _open(view: SavedView) -> None:
    from dashboard.navigation import pages

    found = pages().get(view.path)
    if found is None:
        st.error(f"The page {plain(view.path)} does not exist any more.")
        return
    st.session_state.pop("visit", None)  # also on the page it was saved from, its choices are read from the address
    st.switch_page(found, query_params=view.parameters)


def _save(controls: Controls) -> None:
    choices = controls.parameters()
    with st.form("save view", border=False, clear_on_submit=True):
        name = st.text_input("Name", max_chars=LONGEST_NAME, placeholder="Name of this view")
        asked = st.form_submit_button("Save this view", icon=":material/bookmark_add:")
    st.caption(f"{plural(len(choices), 'choice')} of this page, not its snapshot: numbers will be those of the day.")
    if asked:
        by = readers.reader().name
        _try(lambda: saved_views.save(name, controls.path, choices, by))
        st.rerun()


def _try(change: object, *given: str) -> None:
    try:
        change(*given)  # type: ignore[operator]
    except PassatkError as error:
        st.session_state["view said"] = str(error)
