"""How one text differs from another, word by word inside the lines that differ. No Streamlit here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SAME, GONE, NEW, SKIPPED = "same", "gone", "new", "skipped"
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
#: Lines that are the same, shown before and after a change.
_AROUND = 2
#: A changed block with more pairs of words than this is shown line by line: comparing them all would take seconds.
_MOST_PAIRS = 4_000_000


@dataclass(frozen=True)
class Piece:
    """A stretch of one line, and whether both texts have it (or how many equal lines are left out)."""

    kind: str
    text: str


def word_difference(before: str, after: str) -> list[list[Piece]]:
    """Lines of pieces that lead from one text to the other; [] where they are equal."""
    if before == after:
        return []
    old, new = before.splitlines(), after.splitlines()
    steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    lines: list[list[Piece]] = []
    for number, (kind, a, b, c, d) in enumerate(steps):
        if kind == "equal":
            lines += _context(old[a:b], first=number == 0, last=number == len(steps) - 1)
        else:
            lines += _changed("\n".join(old[a:b]), "\n".join(new[c:d]))
    return lines


def _context(lines: Sequence[str], first: bool, last: bool) -> Iterator[list[Piece]]:
    head = 0 if first else _AROUND
    tail = 0 if last else _AROUND
    left_out = len(lines) - head - tail
    if left_out <= 1:
        yield from ([Piece(SAME, line)] for line in lines)
        return
    yield from ([Piece(SAME, line)] for line in lines[:head])
    yield [Piece(SKIPPED, f"{left_out:,} lines are the same")]
    yield from ([Piece(SAME, line)] for line in lines[len(lines) - tail :])


def _changed(before: str, after: str) -> Iterator[list[Piece]]:
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) * len(new) > _MOST_PAIRS:
        yield from ([Piece(GONE, line)] for line in before.split("\n"))
        yield from ([Piece(NEW, line)] for line in after.split("\n"))
        return
    pieces: list[Piece] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(Piece(SAME, "".join(old[a:b])))
        else:
            pieces += [Piece(GONE, "".join(old[a:b]))] * (b > a) + [Piece(NEW, "".join(new[c:d]))] * (d > c)
    yield from _broken(pieces)


def _broken(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Pieces as lines: a piece that holds line ends is parted there."""
    line: list[Piece] = []
    for piece in pieces:
        first, *more = piece.text.split("\n")
        line += [Piece(piece.kind, first)] * bool(first)
        for text in more:
            yield line
            line = [Piece(piece.kind, text)] * bool(text)
    yield line
