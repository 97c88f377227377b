"""Acting on the store: for operators, after a second yes, as a command in a process of its own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import streamlit as st

from dashboard import access, live, readers
from dashboard.wording import plain, told

_SAID = "act said"
#: Longest reason that is asked for, characters.
_LONGEST_REASON = 200


def command_line(words: Sequence[str]) -> str:
    """The command as a person types it."""
    return shlex.join(("passatk", *words))


@st.dialog("Act on the store")
def confirm(what: str, explains: str, words: Sequence[str], asks_why: bool = False) -> None:
    """Say what is going to be done, by which command, and do it once the reader says so.

    With `asks_why` the reader gives a reason, which the command is told.
    """
    st.markdown(f"**{plain(what)}**")
    st.caption(explains)
    why = ""
    if asks_why:
        why = st.text_input("Reason", max_chars=_LONGEST_REASON, key="act reason").strip()
        words = (*words[:2], f"--reason={why or 'REASON'}", *words[2:])
    st.code(command_line(words), language="bash", wrap_lines=True)
    if st.button("Do it", type="primary", key="act confirmed", disabled=asks_why and not why):
        access.require("operator", readers.reader())  # buttons hide, this refuses
        with st.spinner("Working"):
            st.session_state[_SAID] = live.command(*words)
        st.rerun()


def said() -> bool:
    """Show what the last command said, once; whether there was one."""
    heard = st.session_state.pop(_SAID, None)
    if heard:
        (st.success if heard[0] else st.error)(told(heard[1]))
    return bool(heard)
