"""Samples of each problem against the target, a strip a run: why curves end where they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.charts.palette import INK, color

Row = Mapping[str, Any]
_ROW = 34


def strip_spec(rows: Sequence[Row], slots: Mapping[str, int]) -> dict[str, Any]:
    """Vega-Lite spec: x samples of a problem, y runs; a circle for the problems with so many, a tick at the target.

    `rows` have run, samples, problems (how many have so many samples) and target (None where there is none).
    """
    runs = list(dict.fromkeys(row["run"] for row in rows))
    values = [dict(row) | {"slot": slots[row["run"]]} for row in rows]
    targets = {row["run"]: row["target"] for row in rows if row["target"] is not None}
    most = max([row["samples"] for row in rows] + list(targets.values()), default=1) or 1
    y = {
        "field": "run",
        "type": "nominal",
        "sort": runs,
        "axis": {"title": None, "labelLimit": 200, "labelFlush": False},
    }
    ends = {"domain": [0, 1.05 * most], "nice": False}

    def x(field: str) -> dict[str, Any]:
        return {
            "field": field,
            "type": "quantitative",
            "scale": ends,
            "axis": {"title": "Samples of a problem", "tickCount": 8},
        }

    largest = {"type": "sqrt", "domain": [0, max((row["problems"] for row in rows), default=1)], "range": [0, 400]}
    size = {"field": "problems", "type": "quantitative", "legend": None, "scale": largest}
    goals = [{"run": run, "target": target, "slot": INK} for run, target in targets.items()]
    return {
        "description": _finding(rows, targets),
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": _ROW * max(1, len(runs)),
        "layer": [
            {
                "data": {"values": values},
                "mark": {"type": "circle", "opacity": 0.7, "aria": False},
                "encoding": {
                    "x": x("samples"),
                    "y": y,
                    "size": size,
                    "color": color(),
                    "tooltip": [{"field": name} for name in ("run", "samples", "problems")],
                },
            },
            {
                "data": {"values": goals},
                "mark": {"type": "tick", "thickness": 2, "size": 24, "aria": False},
                "encoding": {
                    "x": x("target"),
                    "y": y,
                    "color": color(),
                    "tooltip": [{"field": "run"}, {"field": "target"}],
                },
            },
        ],
    }


def _finding(rows: Sequence[Row], targets: Mapping[str, int]) -> str:
    counts: dict[str, set[int]] = {}
    for row in rows:
        counts.setdefault(row["run"], set()).add(row["samples"])
    even = sum(len(found) == 1 for found in counts.values())
    short = sum(row["problems"] for row in rows if row["target"] is not None and row["samples"] < row["target"])
    goal = f" {short:,} problems are short of their run's target." if targets else ""
    return f"{even:,} of {len(counts):,} runs have the same number of samples for every problem.{goal}"
