"""Differences between two texts on a page, in colour and in marks that do without it."""

from __future__ import annotations

import re

import streamlit as st

from dashboard.differences import GONE, NEW, SKIPPED, Piece
from dashboard.wording import plain

#: Most lines drawn of one comparison.
_MOST = 400
#: A space that Markdown keeps.
_SPACE = "\N{NO-BREAK SPACE}"
_MARKED = {GONE: ("red", "~~"), NEW: ("green", "**")}


def draw_difference(lines: list[list[Piece]]) -> None:
    """Words of the first text alone are struck through on red, words of the second alone bold on green."""
    if not lines:
        return
    told = "  \n".join(_line(line) for line in lines[:_MOST])
    with st.container(border=True):
        st.markdown(told)
    if len(lines) > _MOST:
        st.caption(f"The first {_MOST} of {len(lines):,} lines are shown.")


def _line(line: list[Piece]) -> str:
    return "".join(_piece(piece) for piece in line) or _SPACE


def _piece(piece: Piece) -> str:
    if piece.kind == SKIPPED:
        return f":gray[… {plain(piece.text)} …]"
    kept = _spaced(piece.text)
    if piece.kind not in _MARKED or not kept.strip():
        return plain(kept)
    # Marks of Markdown hold only where no space stands inside them.
    core = kept.strip()
    head, tail = kept[: len(kept) - len(kept.lstrip())], kept[len(kept.rstrip()) :]
    color, mark = _MARKED[piece.kind]
    return f":{color}-background[{head}{mark}{plain(core)}{mark}{tail}]"


def _spaced(text: str) -> str:
    """The same with spaces that are neither lost at an end nor where several follow each other."""
    kept = text.replace("\t", 4 * _SPACE).replace("  ", 2 * _SPACE)
    return re.sub(r"^ | $", _SPACE, kept)
