"""Cost against solved problems: what a share of solved problems costs with a fixed number of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dashboard.charts import axes
from dashboard.charts.curves import Curve, Point
from dashboard.charts.palette import INK, color
from dashboard.wording import dollars, percent, percent_with, tick


def cost_spec(curves: Sequence[Curve], marker: int | None = None) -> dict[str, Any]:
    """Vega-Lite spec: x US$ per problem (log), y share of problems solved; a curve per run, dots at k = 1, 10, 100...

    With several curves a thin step beside them is the cheapest way to each share. `marker` circles that k.
    """
    x, y = _usd_axis(curves), axes.share_axis("Problems solved")
    ranked = sorted(curves, key=lambda curve: curve.last.value, reverse=True)
    layers = [_frontier_layer(ranked, x, y)] if len(ranked) > 1 else []
    layers += [axes.band_layer(ranked, x, y), axes.line_layer(ranked, x, y)]
    layers += _dot_layers(ranked, marker, x, y)
    layers.append(axes.end_layer(ranked, x, y))
    labels = ((f"{curve.label} {percent(curve.last.value)}", curve.slot, curve.last.value) for curve in ranked)
    layers.append(axes.label_layer(labels, y))
    layers.append(_hover_layer(ranked, x, y))
    return axes.frame(layers, cost_finding(ranked))


def cost_finding(curves: Sequence[Curve]) -> str:
    """What the chart shows, in words."""
    if not curves:
        return "No curve to draw."
    said = [
        f"{curve.label} solves {percent(curve.last.value)} for {dollars(curve.last.x)} a problem (k = {curve.last.k:,})"
        for curve in curves
    ]
    return "; ".join(said) + "."


def frontier(curves: Sequence[Curve]) -> list[Point]:
    """The points that no cheaper or equally dear point beats, from cheap to dear."""
    best: list[Point] = []
    for point in sorted((point for curve in curves for point in curve.points), key=lambda p: (p.x, -p.value)):
        if not best or point.value > best[-1].value:
            best.append(point)
    return best


def _usd_axis(curves: Sequence[Curve]) -> dict[str, Any]:
    amounts = [point.x for curve in curves for point in curve.points] or [0.01, 1.0]
    low, high = min(amounts), max(amounts)
    low, high = (low / 2, high * 2) if low == high else (low, high)
    ticks = axes.decades(high, low)
    if len(ticks) < 2:  # less than a decade: halves and fifths say more than one lonely tick
        power = 10.0 ** math.floor(math.log10(low))
        ticks = [power * step for step in (1, 2, 5, 10, 20, 50) if low <= power * step <= high]
    return {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {"values": ticks, "format": "$~r", "title": "US$ per problem (log scale)", "grid": True},
    }


def _dot_layers(curves: Sequence[Curve], marker: int | None, x: dict[str, Any], y: dict[str, Any]) -> list[Any]:
    rows = [
        {"x": point.x, "value": point.value, "slot": curve.slot, "text": f"k = {tick(point.k)}"}
        for curve in curves
        for point in curve.points
        if point.k == marker or (math.log10(point.k).is_integer() and point.k != curve.last.k)
    ]
    data = {"values": rows}
    place = {"x": x, "y": y}
    dot = {"type": "point", "filled": True, "size": 60, "opacity": 1, "aria": False, "tooltip": None}
    name = {"type": "text", "dy": 16, "dx": 4, "align": "left", "fontSize": 11, "aria": False, "tooltip": None}
    return [
        {"data": data, "mark": dot, "encoding": place | {"color": color()}},
        {
            "data": data,
            "mark": name,
            "encoding": place | {"text": {"field": "text", "type": "nominal"}, "color": color()},
        },
    ]


def _frontier_layer(curves: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    rows = [{"x": point.x, "value": point.value, "slot": INK} for point in frontier(curves)]
    return {
        "data": {"values": rows},
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "strokeWidth": 1.2,
            "opacity": 0.4,
            "aria": False,
            "tooltip": None,
        },
        "encoding": {"x": x, "y": y, "color": color()},
    }


def _hover_layer(curves: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "x": point.x,
            "value": point.value,
            "slot": curve.slot,
            "run": curve.label,
            "k": f"{point.k:,}",
            "usd": dollars(point.x),
            "solved": percent_with(point.value, point.low, point.high),
            "each": dollars(point.x / point.value) if point.value else "nothing solved",
        }
        for curve in curves
        for point in curve.points
    ]
    titles = (("run", "run"), ("k", "k"), ("usd", "US$ per problem"), ("solved", "solved"), ("each", "US$ per solved"))
    return {
        "data": {"values": rows},
        "params": [
            {"name": "hover", "select": {"type": "point", "nearest": True, "on": "pointerover", "clear": "pointerout"}}
        ],
        "mark": {"type": "point", "filled": True, "size": 90, "aria": False},
        "encoding": {
            "x": x,
            "y": y,
            "color": color(),
            "opacity": {"condition": {"param": "hover", "empty": False, "value": 1}, "value": 0},
            "tooltip": [{"field": field, "type": "nominal", "title": title} for field, title in titles],
        },
    }
