"""The strip of samples per problem: what was drawn, what was judged, a tick at a target, and a finding in words."""

from __future__ import annotations

import altair as alt

from dashboard.charts.strip import DRAWN, JUDGED, strip_spec

ROWS = [
    {"run": "even", "counted": DRAWN, "samples": 10, "problems": 4, "target": None},
    {"run": "even", "counted": JUDGED, "samples": 9, "problems": 3, "target": None},
    {"run": "even", "counted": JUDGED, "samples": 10, "problems": 1, "target": None},
    {"run": "short", "counted": DRAWN, "samples": 10, "problems": 3, "target": 10},
    {"run": "short", "counted": DRAWN, "samples": 6, "problems": 1, "target": 10},
]


def test_drawn_judged_and_targets_are_drawn_apart_and_told() -> None:
    spec = strip_spec(ROWS, {"even": 0, "short": 1})
    alt.Chart.from_dict(spec)
    drawn, judged, ticks, names = spec["layer"]
    assert [row["samples"] for row in drawn["data"]["values"]] == [10, 10, 6]
    assert [row["samples"] for row in judged["data"]["values"]] == [9, 10]
    assert drawn["mark"]["filled"] is False
    assert [(row["run"], row["target"]) for row in ticks["data"]["values"]] == [("short", 10)]
    assert [(row["run"], row["counted"]) for row in names["data"]["values"]] == [
        ("even", DRAWN),
        ("even", JUDGED),
        ("short", DRAWN),
    ]
    assert spec["description"] == (
        "1 of 2 runs have the same number of samples drawn for every problem. "
        "1 problems are short of their run's target."
    )
