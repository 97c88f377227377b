"""Two texts compared word by word: what is told leads from one to the other, and equal stretches are left out."""

from __future__ import annotations

from dashboard.differences import GONE, NEW, SAME, SKIPPED, Piece, word_difference


def told(lines: list[list[Piece]], kinds: tuple[str, ...]) -> list[str]:
    return ["".join(piece.text for piece in line if piece.kind in kinds) for line in lines]


def test_the_words_that_differ_are_named() -> None:
    (line,) = word_difference("x is 3 + 4 = 7", "x is 3 + 5 = 8")
    assert [(piece.kind, piece.text) for piece in line if piece.kind != SAME] == [
        (GONE, "4"), (NEW, "5"), (GONE, "7"), (NEW, "8"),
    ]  # fmt: skip
    assert told([line], (SAME, GONE)) == ["x is 3 + 4 = 7"]
    assert told([line], (SAME, NEW)) == ["x is 3 + 5 = 8"]


def test_equal_lines_are_counted_and_left_out() -> None:
    before = "\n".join(map(str, range(100)))
    lines = word_difference(before, before.replace("50", "fifty"))
    skipped = [piece.text for line in lines for piece in line if piece.kind == SKIPPED]
    assert skipped == ["48 lines are the same", "47 lines are the same"]
    assert len(lines) == 2 + 2 + 1 + 2
    assert word_difference(before, before) == []


def test_long_texts_that_share_nothing_are_told_at_once() -> None:
    lines = word_difference("a " * 25_000, "b " * 25_000)
    assert [line[0].kind for line in lines] == [GONE, NEW]
