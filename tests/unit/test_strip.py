"""The strip of samples per problem: a circle a count, a tick where a run has a target, and a finding in words."""

from __future__ import annotations

import altair as alt

from dashboard.charts.strip import strip_spec

ROWS = [
    {"run": "even", "samples": 10, "problems": 4, "target": None},
    {"run": "short", "samples": 10, "problems": 3, "target": 10},
    {"run": "short", "samples": 6, "problems": 1, "target": 10},
]


def test_counts_and_targets_are_drawn_and_told() -> None:
    spec = strip_spec(ROWS, {"even": 0, "short": 1})
    alt.Chart.from_dict(spec)
    circles, ticks = spec["layer"]
    assert [row["samples"] for row in circles["data"]["values"]] == [10, 10, 6]
    assert [(row["run"], row["target"]) for row in ticks["data"]["values"]] == [("short", 10)]
    assert spec["description"] == (
        "1 of 2 runs have the same number of samples for every problem. 1 problems are short of their run's target."
    )
