"""Axes, frame and the layers that every curve chart shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dashboard.charts.curves import Curve, end_rows, line_rows
from dashboard.charts.labels import spread
from dashboard.charts.measures import WHOLE, Span
from dashboard.charts.palette import INK, color, dash
from dashboard.charts.quantities import SAMPLES, Quantity, decades, log_ticks

HEIGHT = 460
#: Room for axis titles; on the right the labels of the curves get what they need, within bounds.
PADDING = {"left": 84, "top": 22, "bottom": 76}
_GUTTER = (150, 300)
_LABEL_WIDTH = 6.4
_LABEL_LINE = 16


def k_axis(largest: int, title: str = "Samples per problem, k (log scale)") -> dict[str, Any]:
    """Logarithmic x over 1..largest with ticks at the decades and at the end of the data."""
    end = max(2, largest)
    ticks = [tick for tick in decades(end) if tick == end or tick * 1.6 <= end]
    return {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [1, end], "nice": False},
        "axis": {"values": [*ticks, *([] if end in ticks else [end])], "format": "~s", "title": title, "grid": True},
    }


def quantity_axis(quantity: Quantity, curves: Sequence[Curve]) -> dict[str, Any]:
    """Logarithmic x over what the curves take, in the unit of the quantity; samples from 1 to the longest curve."""
    amounts = [point.x for curve in curves for point in curve.points] or [1.0]
    low, high = min(amounts), max(amounts)
    if quantity is SAMPLES:
        return k_axis(int(high))
    low, high = (low / 2, high * 2) if low == high else (low, high)
    return {
        "field": "x",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [low, high], "nice": False},
        "axis": {
            "values": log_ticks(low, high),
            "format": quantity.axis_format,
            "title": quantity.title,
            "grid": True,
            "labelOverlap": "greedy",
        },
    }


def share_axis(title: str) -> dict[str, Any]:
    """y from 0 to 100 %, always the whole range."""
    return {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "nice": False},
        "axis": {"format": ".0%", "title": title, "tickCount": 5},
    }


def frame(layers: Sequence[dict[str, Any]], description: str, height: int = HEIGHT) -> dict[str, Any]:
    """A whole spec of fixed margins: Vega's own fitting would give a third of the width to the labels."""
    labels = [row["text"] for layer in layers if layer.get("name") == "labels" for row in layer["data"]["values"]]
    gutter = min(_GUTTER[1], max(_GUTTER[0], 24 + _LABEL_WIDTH * max(map(len, labels), default=0)))
    return {
        "description": description,
        "height": height,
        "autosize": {"type": "none", "contains": "padding"},
        "padding": PADDING | {"right": round(gutter)},
        "layer": list(layers),
    }


def fitting(spec: dict[str, Any]) -> dict[str, Any]:
    """The same chart for a page: in a narrow window the labels of its curves lie in the plot.

    Beside the plot they would leave it a third of the width. The browser decides, whenever its window changes. A spec
    without such labels is returned as it is.
    """
    layers = spec.get("layer", [])
    if "padding" not in spec or not any(layer.get("name") == "labels" for layer in layers):
        return spec
    beside = spec["padding"]
    sides = ", ".join(f"{side}: {beside[side]}" for side in ("left", "top", "bottom"))
    padding = {"expr": f"{{{sides}, right: {_either(_INSIDE_RIGHT, beside['right'])}}}"}
    return spec | {
        "padding": padding,
        "layer": [_inside(one) if one.get("name") == "labels" else one for one in layers],
    }


#: Whether the window is that of a phone. The width of the chart makes Vega ask again when it changes.
_NARROW = "(width >= 0 && windowSize()[0] < 640)"
#: Looks of the labels there, and the room that is left on the right, pixels.
_INSIDE: dict[str, str | int] = {"align": "right", "dx": -6, "dy": -9, "fontSize": 11, "limit": 220}
_INSIDE_RIGHT = 14


def _inside(labels: dict[str, Any]) -> dict[str, Any]:
    mark = {"dy": 0} | labels["mark"]
    return labels | {"mark": mark | {name: {"expr": _either(value, mark[name])} for name, value in _INSIDE.items()}}


def _either(narrow: str | int, wide: str | int) -> str:
    """An expression of Vega: one value in a narrow window, another in a wide one."""
    return f"{_NARROW} ? {narrow!r} : {wide!r}"


def band_layer(curves: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    """The interval around each curve."""
    return {
        "data": {"values": [row for row in line_rows(curves) if row["low"] is not None and row["high"] is not None]},
        "mark": {"type": "area", "opacity": 0.15, "aria": False, "tooltip": None},
        "encoding": {
            "x": x,
            "y": y | {"field": "low"},
            "y2": {"field": "high"},
            "color": color(),
            "detail": {"field": "series", "type": "nominal"},
        },
    }


def line_layer(curves: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    """The curves themselves."""
    return {
        "data": {"values": line_rows(curves)},
        "mark": {"type": "line", "strokeWidth": 2.5, "tooltip": None},
        "encoding": {
            "x": x,
            "y": y,
            "color": color(),
            "strokeDash": dash(),
            "detail": {"field": "series", "type": "nominal"},
            "order": {"field": "k", "type": "quantitative"},
        },
    }


def end_layer(curves: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    """An open circle where the data of a curve end."""
    return {
        "data": {"values": end_rows(curves)},
        "mark": {"type": "point", "size": 70, "strokeWidth": 2, "filled": False, "aria": False, "tooltip": None},
        "encoding": {"x": x, "y": y, "color": color()},
    }


def label_layer(
    labels: Iterable[tuple[str, int, float]], y: dict[str, Any], span: Span = WHOLE, height: int = HEIGHT
) -> dict[str, Any]:
    """(text, slot, value) beside the right edge, moved apart where they would cover each other."""
    kept = list(labels)
    gap = _LABEL_LINE / (height - PADDING["top"] - PADDING["bottom"])
    wanted = [min(1.0, max(0.0, span.position(value))) for _, _, value in kept]
    placed = [span.value(position) for position in spread(wanted, gap, 0.0, 1.0)]
    rows = [{"text": text, "slot": slot, "value": at} for (text, slot, _), at in zip(kept, placed, strict=True)]
    return {
        "name": "labels",
        "data": {"values": rows},
        "mark": {
            "type": "text",
            "align": "left",
            "dx": 10,
            "fontWeight": 600,
            "fontSize": 12,
            "limit": 290,
            "tooltip": None,
        },
        "encoding": {
            "x": {"value": "width"},
            "y": y,
            "text": {"field": "text", "type": "nominal"},
            "color": color(),
        },
    }


def forecast_layers(forecasts: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """Dotted lines and faint fans beyond the data."""
    if not forecasts:
        return []
    fan = band_layer(forecasts, x, y)
    fan["mark"] = fan["mark"] | {"opacity": 0.07}
    line = line_layer(forecasts, x, y)
    line["name"] = "forecasts"
    line["mark"] = line["mark"] | {"strokeWidth": 2, "opacity": 0.9}
    line["encoding"]["strokeDash"] = {"value": [2, 4]}
    return [fan, line]


def marker_layers(k: float, text: str, x: dict[str, Any]) -> list[dict[str, Any]]:
    """A dashed rule at the k the reader asks about, named at its top."""
    rows = {"values": [{"x": k, "text": text, "slot": INK}]}
    mark = {"type": "rule", "strokeDash": [4, 3], "opacity": 0.6, "aria": False, "tooltip": None}
    name = {"type": "text", "align": "center", "dy": -10, "fontSize": 11, "aria": False, "tooltip": None}
    return [
        {"data": rows, "mark": mark, "encoding": {"x": x, "color": color()}},
        {
            "data": rows,
            "mark": name,
            "encoding": {
                "x": x,
                "y": {"value": 0},
                "text": {"field": "text", "type": "nominal"},
                "color": color(),
            },
        },
    ]


def hover_layers(
    curves: Sequence[Curve],
    rows: Sequence[dict[str, Any]],
    titles: Sequence[tuple[str, str]],
    x: dict[str, Any],
    y: dict[str, Any],
) -> list[dict[str, Any]]:
    """A rule at the nearest k with one card for all curves, and a point on each.

    `rows` have x and one text for each curve; `titles` are (field, title) in the card's order.
    """
    here = {"param": "hover", "empty": False}
    rule = {
        "data": {"values": [row | {"slot": INK} for row in rows]},
        "params": [
            {
                "name": "hover",
                "select": {
                    "type": "point",
                    "fields": ["x"],
                    "nearest": True,
                    "on": "pointerover",
                    "clear": "pointerout",
                },
            }
        ],
        "mark": {"type": "rule", "aria": False},
        "encoding": {
            "x": x,
            "color": color(),
            "opacity": {"condition": here | {"value": 0.35}, "value": 0},
            "tooltip": [{"field": field, "type": "nominal", "title": title} for field, title in titles],
        },
    }
    dots: dict[str, Any] = {
        "data": {"values": line_rows(curves)},
        "mark": {"type": "point", "filled": True, "size": 55, "aria": False, "tooltip": None},
        "encoding": {
            "x": x,
            "y": y,
            "color": color(),
            "opacity": {"condition": here | {"value": 1}, "value": 0},
        },
    }
    return [dots, rule]


def point_hover_layer(
    rows: Sequence[dict[str, Any]], titles: Sequence[tuple[str, str]], x: dict[str, Any], y: dict[str, Any]
) -> dict[str, Any]:
    """A card for the nearest point, where curves share no x; `rows` have x, value, slot and the texts."""
    return {
        "data": {"values": list(rows)},
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


def dot_layers(rows: Sequence[dict[str, Any]], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """Named dots on curves: rows have x, value, slot and text."""
    data, place = {"values": list(rows)}, {"x": x, "y": y}
    dot = {"type": "point", "filled": True, "size": 60, "opacity": 1, "aria": False, "tooltip": None}
    name = {"type": "text", "dy": 16, "dx": 4, "align": "left", "fontSize": 11, "aria": False, "tooltip": None}
    text = {"text": {"field": "text", "type": "nominal"}}
    return [
        {"data": data, "mark": dot, "encoding": place | {"color": color()}},
        {"data": data, "mark": name, "encoding": place | text | {"color": color()}},
    ]
