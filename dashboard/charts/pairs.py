"""Two runs problem by problem: pass rate against pass rate, with gutters for problems one of them never solved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.charts.palette import GREY, color
from dashboard.charts.quantities import log_ticks
from dashboard.wording import percent


def pairs_spec(rows: Sequence[Mapping[str, Any]], run: str, baseline: str, slot: int) -> dict[str, Any]:
    """Vega-Lite spec: x the baseline's pass rate, y the run's, both log; rates of 0 lie in the gutters at 0.

    `rows` have problem, run_rate and baseline_rate (shares).
    """
    rates = [rate for row in rows for rate in (row["run_rate"], row["baseline_rate"]) if rate > 0]
    least = min(rates, default=0.1)
    gutter = least / 3

    def place(rate: float) -> float:
        return rate if rate > 0 else gutter

    drawn = [
        {
            "x": place(row["baseline_rate"]),
            "value": place(row["run_rate"]),
            "slot": slot if row["run_rate"] > 0 or row["baseline_rate"] > 0 else GREY,
            "problem": row["problem"],
            "run": percent(row["run_rate"]),
            "baseline": percent(row["baseline_rate"]),
        }
        for row in rows
    ]
    scale = {"type": "log", "domain": [gutter / 1.3, 1.15], "nice": False}
    label = f"datum.value < {gutter * 1.01} ? '0' : format(datum.value, '~p')"
    axis = {"values": [gutter, *log_ticks(least, 1)], "labelExpr": label}
    x = {"field": "x", "type": "quantitative", "scale": scale, "axis": axis | {"title": f"Pass rate, {baseline} (log)"}}
    y = {"field": "value", "type": "quantitative", "scale": scale, "axis": axis | {"title": f"Pass rate, {run} (log)"}}
    corners = {"values": [{"x": gutter, "value": gutter, "slot": GREY}, {"x": 1, "value": 1, "slot": GREY}]}
    dashed = {"type": "line", "strokeDash": [4, 4], "strokeWidth": 1, "opacity": 0.8, "aria": False, "tooltip": None}
    titles = (("problem", "problem"), ("run", run), ("baseline", baseline))
    return {
        "description": pairs_finding(rows, run, baseline),
        "height": 380,
        "layer": [
            {"data": corners, "mark": dashed, "encoding": {"x": x, "y": y, "color": color()}},
            {
                "data": {"values": drawn},
                "mark": {"type": "point", "filled": True, "size": 46, "opacity": 0.55},
                "encoding": {
                    "x": x,
                    "y": y,
                    "color": color(),
                    "tooltip": [{"field": field, "type": "nominal", "title": title} for field, title in titles],
                },
            },
        ],
    }


def pairs_finding(rows: Sequence[Mapping[str, Any]], run: str, baseline: str) -> str:
    """What the chart shows, in one sentence."""
    above = sum(row["run_rate"] > row["baseline_rate"] for row in rows)
    below = sum(row["run_rate"] < row["baseline_rate"] for row in rows)
    return (
        f"Of {len(rows):,} shared problems {run} has the higher pass rate on {above:,}, {baseline} on {below:,}; "
        f"{len(rows) - above - below:,} are equal."
    )


def matrix_spec(cells: Sequence[Mapping[str, Any]], runs: Sequence[str], k: int) -> dict[str, Any]:
    """Vega-Lite spec of paired differences at k: row less column, in points; grey text where the interval holds 0.

    `cells` have row, column, difference (share or None), text and clear (whether the interval leaves 0 out).
    """
    reach = max((abs(cell["difference"]) for cell in cells if cell["difference"] is not None), default=0.1)
    angled = {"title": None, "orient": "top", "labelAngle": -25, "labelLimit": 160}
    x = {"field": "column", "type": "nominal", "sort": list(runs), "axis": angled}
    y = {"field": "row", "type": "nominal", "sort": list(runs), "axis": {"title": None, "labelLimit": 160}}
    fill = {
        "field": "difference",
        "type": "quantitative",
        "scale": {"domain": [-reach, 0, reach], "range": ["#F0A868", "#F3F5F7", "#86B6EE"], "interpolate": "rgb"},
        "legend": None,
    }
    tooltip = [{"field": field, "type": "nominal"} for field in ("row", "column", "text")]
    return {
        "description": f"Paired differences in coverage at k = {k:,}: the row's run less the column's, in points.",
        "height": 60 + 46 * len(runs),
        "data": {"values": list(cells)},
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 3},
                "encoding": {"color": fill, "tooltip": tooltip},
            },
            {
                "mark": {"type": "text", "fontSize": 12, "fontWeight": 600, "aria": False, "tooltip": None},
                "encoding": {
                    "text": {"field": "text", "type": "nominal"},
                    "color": {"value": "#0B0F14"},
                    "opacity": {"condition": {"test": "datum.clear", "value": 1}, "value": 0.62},
                },
            },
        ],
    }
