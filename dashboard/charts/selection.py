"""Selection accuracy under coverage: what a rule that picks one of k samples keeps of what k samples hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.charts import axes
from dashboard.charts.coverage import hover_rows, hover_titles
from dashboard.charts.curves import Curve
from dashboard.charts.palette import INK, color
from dashboard.wording import percent, points


def selection_spec(
    ceiling: Curve, methods: Sequence[Curve], plateau: float | None = None, marker: int | None = None
) -> dict[str, Any]:
    """Vega-Lite spec: coverage as the ceiling, a dashed line per method, all in ink; `plateau` is the limit of a vote.

    A run's hue means the run on every page, so no method has one.
    """
    curves = [ceiling, *methods]
    largest = max(curve.last.k for curve in curves)
    x, y = axes.k_axis(largest), axes.share_axis("Problems answered correctly")
    layers = [axes.band_layer(curves, x, y), axes.line_layer(curves, x, y)]
    labels = [(f"{curve.label} {percent(curve.last.value)}", INK, curve.last.value) for curve in curves]
    if plateau is not None:
        layers.append(_plateau_layer(plateau, y))
        labels.append((f"Vote's limit {percent(plateau)}", INK, plateau))
    if methods:
        layers.append(_bracket_layer(ceiling, methods, y))
        labels.append(_lost(ceiling, methods))
    if marker is not None and marker <= largest:
        layers += axes.marker_layers(marker, f"k = {marker:,}", x)
    layers.append(axes.end_layer(curves, x, y))
    layers.append(axes.label_layer(labels, y))
    layers += axes.hover_layers(curves, hover_rows(curves), hover_titles(curves), x, y)
    return axes.frame(layers, selection_finding(ceiling, methods))


def best_method(methods: Sequence[Curve]) -> Curve:
    """The method that is right most often at its largest k."""
    return max(methods, key=lambda curve: curve.last.value)


def selection_finding(ceiling: Curve, methods: Sequence[Curve]) -> str:
    """What the chart shows, in one sentence, compared at a k that both have."""
    if not methods:
        return f"Coverage reaches {percent(ceiling.last.value)} at k = {ceiling.last.k:,}."
    best = best_method(methods)
    held = ceiling.at(best.last.k) or ceiling.last
    return (
        f"At k = {best.last.k:,} the samples of {percent(held.value)} of the problems hold a correct one; "
        f"{best.label.lower()} picks it for {percent(best.last.value)}: "
        f"{points(held.value - best.last.value)} points of coverage are not harvested."
    )


def _lost(ceiling: Curve, methods: Sequence[Curve]) -> tuple[str, int, float]:
    best = best_method(methods)
    held = ceiling.at(best.last.k) or ceiling.last
    middle = (held.value + best.last.value) / 2
    return f"{points(held.value - best.last.value)} points not harvested", INK, middle


def _bracket_layer(ceiling: Curve, methods: Sequence[Curve], y: dict[str, Any]) -> dict[str, Any]:
    best = best_method(methods)
    held = ceiling.at(best.last.k) or ceiling.last
    return {
        "data": {"values": [{"value": best.last.value, "high": held.value, "slot": INK}]},
        "mark": {"type": "rule", "xOffset": 5, "strokeWidth": 1.5, "opacity": 0.7, "aria": False, "tooltip": None},
        "encoding": {"x": {"value": "width"}, "y": y, "y2": {"field": "high"}, "color": color()},
    }


def _plateau_layer(plateau: float, y: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {"values": [{"value": plateau, "slot": INK}]},
        "mark": {"type": "rule", "strokeDash": [1, 4], "opacity": 0.8, "aria": False, "tooltip": None},
        "encoding": {"y": y, "color": color()},
    }
