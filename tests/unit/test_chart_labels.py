"""Labels beside curves."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.labels import spread

shares = st.lists(st.floats(0, 1), max_size=12)


def test_labels_that_do_not_collide_stay_where_they_are() -> None:
    assert spread([0.1, 0.9, 0.5], 0.05, 0, 1) == [0.1, 0.9, 0.5]


def test_labels_that_collide_move_apart_around_their_mean() -> None:
    placed = spread([0.5, 0.5], 0.1, 0, 1)
    assert [round(at, 9) for at in placed] == [0.45, 0.55]


@given(shares)
def test_labels_keep_their_order_their_gap_and_their_range(wanted: list[float]) -> None:
    placed = spread(wanted, 0.05, 0.0, 1.0)
    assert len(placed) == len(wanted)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    heights = [placed[index] for index in order]
    assert all(b - a >= 0.05 - 1e-9 for a, b in itertools.pairwise(heights))
    assert all(-1e-9 <= at <= 1 + 1e-9 for at in placed)


def test_more_labels_than_fit_share_the_range() -> None:
    placed = spread([0.5] * 5, 0.5, 0.0, 1.0)
    assert min(placed) >= 0
    assert max(placed) <= 1
    assert len(set(placed)) == 5
