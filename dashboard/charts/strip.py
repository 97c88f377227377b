"""Samples of each problem, drawn and judged, against the target, a strip a run: why curves end where they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.charts.palette import INK, color

Row = Mapping[str, Any]
DRAWN, JUDGED = "drawn", "judged"
#: Height of a run's strip with its two lanes, pixels, and the room right of the largest count for the lanes' names.
_ROW, _ROOM = 48, 1.2
#: Height of the axis below the strips, pixels.
_AXIS = 52


def strip_spec(rows: Sequence[Row], slots: Mapping[str, int]) -> dict[str, Any]:
    """Vega-Lite spec: x samples of a problem, y runs with a lane each for what was drawn and what of it was judged.

    `rows` have run, counted (drawn or judged), samples, problems (how many have so many samples) and target (None
    where there is none). Drawn counts are open circles, judged counts filled ones, a target is a tick.
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
    lane = {"field": "counted", "type": "nominal", "scale": {"domain": [DRAWN, JUDGED], "paddingOuter": 0.25}}

    def x(field: str) -> dict[str, Any]:
        return {
            "field": field,
            "type": "quantitative",
            "scale": {"domain": [0, _ROOM * most], "nice": False},
            "axis": {"title": "Samples of a problem", "tickCount": 8},
        }

    largest = {"type": "sqrt", "domain": [0, max((row["problems"] for row in rows), default=1)], "range": [20, 240]}
    size = {"field": "problems", "type": "quantitative", "legend": None, "scale": largest}

    def circles(counted: str, mark: dict[str, Any]) -> dict[str, Any]:
        return {
            "data": {"values": [row for row in values if row["counted"] == counted]},
            "mark": {"aria": False} | mark,
            "encoding": {
                "x": x("samples"),
                "y": y,
                "yOffset": lane,
                "size": size,
                "color": color(),
                "tooltip": [{"field": name} for name in ("run", "counted", "samples", "problems")],
            },
        }

    goals = [{"run": run, "target": target, "slot": INK} for run, target in targets.items()]
    named = sorted({(row["run"], row["counted"]) for row in rows})
    names = [{"run": run, "counted": counted, "end": _ROOM * most, "slot": INK} for run, counted in named]
    return {
        "description": _finding(rows, targets),
        "autosize": {"type": "fit", "contains": "padding"},
        "height": _ROW * max(1, len(runs)) + _AXIS,
        "layer": [
            circles(DRAWN, {"type": "point", "filled": False, "strokeWidth": 1.6}),
            circles(JUDGED, {"type": "circle", "opacity": 0.8}),
            {
                "data": {"values": goals},
                "mark": {"type": "tick", "thickness": 2, "size": 34, "aria": False},
                "encoding": {
                    "x": x("target"),
                    "y": y,
                    "color": color(),
                    "tooltip": [{"field": "run"}, {"field": "target"}],
                },
            },
            {
                "data": {"values": names},
                "mark": {"type": "text", "align": "right", "dx": -2, "fontSize": 11, "opacity": 0.75, "aria": False},
                "encoding": {
                    "x": x("end"),
                    "y": y,
                    "yOffset": lane,
                    "text": {"field": "counted"},
                    "color": color(),
                },
            },
        ],
    }


def _finding(rows: Sequence[Row], targets: Mapping[str, int]) -> str:
    counts: dict[str, set[int]] = {}
    for row in rows:
        if row["counted"] == DRAWN:
            counts.setdefault(row["run"], set()).add(row["samples"])
    even = sum(len(found) == 1 for found in counts.values())
    drawn = [row for row in rows if row["counted"] == DRAWN and row["target"] is not None]
    short = sum(row["problems"] for row in drawn if row["samples"] < row["target"])
    goal = f" {short:,} problems are short of their run's target." if targets else ""
    return f"{even:,} of {len(counts):,} runs have the same number of samples drawn for every problem.{goal}"
