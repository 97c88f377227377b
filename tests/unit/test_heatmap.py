"""The heatmap keeps a share of zero, no data and a share apart, and the row checks are quoted."""

from __future__ import annotations

from dashboard.charts.heatmap import by_difficulty, heatmap_spec
from dashboard.row_checks import ROW_CHECKS

RATES = {"a": {"easy": (4, 4), "hard": (4, 0), "odd": (0, 0)}, "b": {"easy": (4, 3), "hard": (4, 1)}}


def test_hardest_is_first_and_unjudged_last() -> None:
    assert by_difficulty(RATES) == ["hard", "easy", "odd"]


def test_zero_and_no_data_are_not_shares() -> None:
    some, never, nothing, marks = heatmap_spec(RATES, by_difficulty(RATES))["layer"]
    assert [(row["run"], row["problem"], row["value"]) for row in some["data"]["values"]] == [
        ("a", "easy", 1.0),
        ("b", "hard", 0.25),
        ("b", "easy", 0.75),
    ]
    assert [(row["run"], row["problem"]) for row in never["data"]["values"]] == [("a", "hard")]
    assert [(row["run"], row["problem"]) for row in nothing["data"]["values"]] == [("a", "odd"), ("b", "odd")]
    assert [row["mark"] for row in marks["data"]["values"]] == ["×", "/", "/"]


def test_a_run_named_with_a_quote_stays_a_name() -> None:
    assert all("WHERE run = 'o''brien'" in check.of("o'brien") for check in ROW_CHECKS)
