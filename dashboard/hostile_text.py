"""What models and benchmarks wrote, on a page: as it is by default, rendered only when asked, never trusted."""

from __future__ import annotations

import streamlit as st

from dashboard.safe_markdown import CODE, FORMULA, parts
from dashboard.wording import size

#: Longest text drawn without being asked for, characters.
SHOWN = 50_000
#: Parts of a rendered text that are drawn; each is an element of the page.
_MOST_PARTS = 200
#: Languages that Streamlit would draw as a picture instead of showing the code.
_DRAWN = ("mermaid", "dot", "graphviz")


def draw_text(text: str | None, name: str, kind: str, rendered: bool = False, numbers: bool = False) -> None:
    """A text, at most SHOWN characters of it until the reader asks for more, with a download of the whole.

    `name` keeps the buttons of two texts apart and names the file; `rendered` draws formulas, lists and code.
    """
    if not text:
        st.info(f"This {kind} is empty.")
        return
    whole = len(text) <= SHOWN or st.toggle(f"Show all {size(len(text))}", key=f"all {kind} {name}")
    shown = text if whole else text[:SHOWN]
    if rendered:
        with st.container(border=True):
            _rendered(text[:SHOWN])
        if whole and len(text) > SHOWN:
            st.caption(f"The first {size(SHOWN)} are rendered. The source has the rest.")
    else:
        st.code(shown, language=None, wrap_lines=True, line_numbers=numbers)
    if not whole:
        st.caption(f"The first {size(SHOWN)} of {size(len(text))} are shown.")
    if numbers or rendered or not whole:
        st.download_button(
            f"Download {kind}",
            data=text,
            file_name=f"{name.replace('/', '-')}.txt",
            mime="text/plain",
            icon=":material/download:",
            on_click="ignore",
            key=f"download {kind}",
        )


def _rendered(text: str) -> None:
    for number, part in enumerate(parts(text)):
        if number == _MOST_PARTS:
            st.caption(f"The first {_MOST_PARTS} parts are rendered. The source has the rest.")
            return
        if part.kind == CODE:
            st.code(part.text, language=None if part.language in _DRAWN else part.language or None, wrap_lines=True)
        elif part.kind == FORMULA:
            st.latex(part.text)
        else:
            st.markdown(part.text)
