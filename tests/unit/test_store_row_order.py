"""Rows are written in order of their keys, in whatever order they come."""

from __future__ import annotations

from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st

from store.row_writing import by_key
from store.verdicts import VerdictRow

KEY = attrgetter("run_id", "problem_id", "sample_index", "verifier_id", "attempt")
PLACES = st.tuples(*[st.integers(0, 2)] * 5)


def rows_at(places: list[tuple[int, int, int, int, int]]) -> list[VerdictRow]:
    return [
        VerdictRow(run, problem, index, verifier, attempt, 1, "correct", None, None, None, 0.0)
        for run, problem, index, verifier, attempt in places
    ]


@given(st.lists(PLACES, max_size=8))
def test_rows_come_out_as_sorted_would_give_them(places: list[tuple[int, int, int, int, int]]) -> None:
    rows = rows_at(places)
    assert by_key(rows, KEY) == sorted(rows, key=KEY)


def test_rows_that_are_in_order_are_not_sorted_again() -> None:
    rows = rows_at([(1, 1, 0, 9, 0), (1, 1, 1, 3, 0), (1, 2, 0, 3, 0), (2, 1, 0, 3, 0)])
    assert by_key(rows, KEY) is rows
