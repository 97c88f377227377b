"""Cost against solved problems: what a share of solved problems takes with a fixed number of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.charts import axes
from dashboard.charts.curves import Curve, Point, line_rows
from dashboard.charts.palette import GREY, INK, color
from dashboard.charts.quantities import DOLLARS, Quantity
from dashboard.wording import percent, percent_with, tick


@dataclass(frozen=True)
class Reference:
    """A line to compare with: a share of solved problems and where it comes from."""

    share: float
    source: str


def cost_spec(
    curves: Sequence[Curve],
    marker: int | None = None,
    quantity: Quantity = DOLLARS,
    unit: str = "problem",
    reference: Reference | None = None,
) -> dict[str, Any]:
    """Vega-Lite spec: x what is spent (log), y share of problems solved; a curve per run, dots at k = 1, 10, 100...

    With several curves a thick step is the cheapest way to each share, and what another run beats is drawn faint.
    `marker` names that k too; `unit` is what a problem is called.
    """
    ranked = sorted(curves, key=lambda curve: curve.last.value, reverse=True)
    x, y = axes.quantity_axis(quantity, ranked), axes.share_axis(f"{unit.capitalize()}s solved")
    layers = [_frontier_layer(ranked, x, y)] if len(ranked) > 1 else []
    layers += [axes.band_layer(ranked, x, y), *_line_layers(ranked, x, y)]
    layers += axes.dot_layers(_dots(ranked, marker), x, y)
    layers.append(axes.end_layer(ranked, x, y))
    labels = [(f"{curve.label} {percent(curve.last.value)}", curve.slot, curve.last.value) for curve in ranked]
    if reference:
        layers.append(_reference_layer(reference, y))
        labels.append((f"{reference.source} {percent(reference.share)}", GREY, reference.share))
    layers.append(axes.label_layer(labels, y))
    takes = "US$ in all" if quantity.key == "total" else f"{quantity.label} per {unit}"
    each = f"{quantity.label} per solved {unit}"
    titles = (("run", "run"), ("k", "k"), ("takes", takes), ("solved", "solved"), ("each", each))
    layers.append(axes.point_hover_layer(_hover_rows(ranked, quantity), titles, x, y))
    return axes.frame(layers, cost_finding(ranked, quantity))


def cost_finding(curves: Sequence[Curve], quantity: Quantity = DOLLARS) -> str:
    """What the chart shows, in words."""
    if not curves:
        return "No curve to draw."
    said = [
        f"{curve.label} solves {percent(curve.last.value)} for {amount(curve.last.x, quantity)} (k = {curve.last.k:,})"
        for curve in curves
    ]
    return "; ".join(said) + "."


def amount(spent: float, quantity: Quantity) -> str:
    """What is spent, with its unit: `$0.12 a problem`, `20.6k tokens a problem`, `$61 in all`."""
    written = quantity.text(spent)
    if quantity.key == "total":
        return f"{written} in all"
    return f"{written} a problem" if quantity is DOLLARS else f"{written} {quantity.label} a problem"


def frontier(curves: Sequence[Curve]) -> list[Point]:
    """The points that no cheaper or equally dear point beats, from cheap to dear."""
    best: list[Point] = []
    for point in sorted((point for curve in curves for point in curve.points), key=lambda p: (p.x, -p.value)):
        if not best or point.value > best[-1].value:
            best.append(point)
    return best


def _line_layers(curves: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """The curves; where there are several, the stretches that no other run beats stand out."""
    whole = axes.line_layer(curves, x, y)
    if len(curves) < 2:
        return [whole]
    whole["mark"] = whole["mark"] | {"opacity": 0.3}
    best = {id(point) for point in frontier(curves)}
    rows, stretch = [], 0
    for place, curve in enumerate(curves):
        stretch += 1
        for point, row in zip(curve.points, line_rows([curve]), strict=True):
            if id(point) in best:
                rows.append(row | {"series": place, "stretch": stretch})
            else:
                stretch += 1
    strong = axes.line_layer(curves, x, y)
    strong["name"] = "frontier"
    strong["data"] = {"values": rows}
    strong["encoding"]["detail"] = {"field": "stretch", "type": "nominal"}
    return [whole, strong]


def _dots(curves: Sequence[Curve], marker: int | None) -> list[dict[str, Any]]:
    """Dots at decades and the marked k; a name only where it covers no other, the marked ones first."""
    points = [
        (point, curve)
        for curve in curves
        for point in curve.points
        if point.k == marker or (math.log10(point.k).is_integer() and point.k != curve.last.k)
    ]
    span = _log_span(curves)
    named: list[Point] = []
    rows = []
    for point, curve in sorted(points, key=lambda pair: (pair[0].k != marker, pair[0].x)):
        free = all(
            abs(math.log10(point.x / other.x)) > 0.08 * span or abs(point.value - other.value) > 0.05 for other in named
        )
        named += [point] if free else []
        text = f"k = {tick(point.k)}" if free else ""
        rows.append({"x": point.x, "value": point.value, "slot": curve.slot, "text": text})
    return rows


def _log_span(curves: Sequence[Curve]) -> float:
    amounts = [point.x for curve in curves for point in curve.points] or [1.0]
    return max(1e-9, math.log10(max(amounts) / min(amounts)))


def _frontier_layer(curves: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    rows = [{"x": point.x, "value": point.value, "slot": INK} for point in frontier(curves)]
    mark = {"type": "line", "interpolate": "step-after", "strokeWidth": 6, "opacity": 0.14, "aria": False}
    return {
        "data": {"values": rows},
        "mark": mark | {"tooltip": None},
        "encoding": {"x": x, "y": y, "color": color()},
    }


def _reference_layer(reference: Reference, y: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "reference",
        "data": {"values": [{"value": reference.share, "slot": GREY}]},
        "mark": {"type": "rule", "strokeDash": [6, 4], "strokeWidth": 1.5, "aria": False, "tooltip": None},
        "encoding": {"y": y, "color": color()},
    }


def _hover_rows(curves: Sequence[Curve], quantity: Quantity) -> list[dict[str, Any]]:
    return [
        {
            "x": point.x,
            "value": point.value,
            "slot": curve.slot,
            "run": curve.label,
            "k": f"{point.k:,}",
            "takes": quantity.text(point.x),
            "solved": percent_with(point.value, point.low, point.high),
            "each": quantity.text(point.x / point.value) if point.value else "nothing solved",
        }
        for curve in curves
        for point in curve.points
    ]
