"""The difference in coverage between runs and a baseline, paired by problem."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dashboard.charts import axes
from dashboard.charts.curves import Curve, Point, line_rows
from dashboard.charts.measures import Span
from dashboard.charts.palette import INK, color
from dashboard.wording import points


def difference_spec(curves: Sequence[Curve], baseline: str, marker: int | None = None) -> dict[str, Any]:
    """Vega-Lite spec: x k (log), y coverage less the baseline's in percentage points, with a rule at zero."""
    largest = max((curve.last.k for curve in curves), default=1)
    reach = max((abs(bound) for curve in curves for point in curve.points for bound in _bounds(point)), default=0.1)
    x, y = axes.k_axis(largest), _axis(reach, baseline)
    ranked = sorted(curves, key=lambda curve: curve.last.value, reverse=True)
    layers = [*_band_layers(ranked, x, y), _zero_layer(y), axes.line_layer(ranked, x, y)]
    if marker is not None and marker <= largest:
        layers += axes.marker_layers(marker, f"k = {marker:,}", x)
    layers.append(axes.end_layer(ranked, x, y))
    top = y["scale"]["domain"][1]
    labels = [(f"{curve.label} {signed(curve.last.value)}", curve.slot, curve.last.value) for curve in ranked]
    layers.append(axes.label_layer(labels, y, Span(-top, top)))
    layers += axes.hover_layers(ranked, _hover_rows(ranked), _titles(ranked), x, y)
    return axes.frame(layers, difference_finding(ranked, baseline, largest))


def signed(difference: float) -> str:
    """A difference of shares in points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def difference_finding(curves: Sequence[Curve], baseline: str, k: int) -> str:
    """What is so at k, in words; a difference whose interval holds zero is called none."""
    said = [_said(curve.label, baseline, point) for curve in curves if (point := curve.at(k))]
    return " ".join(said) or f"No run has k = {k:,} samples of every problem that it shares with {baseline}."


def _said(run: str, baseline: str, point: Point) -> str:
    if point.low is None or point.high is None:
        return f"{run} and {baseline} differ by {points(abs(point.value))} points at k = {point.k:,}."
    more = "more" if point.value >= 0 else "fewer"
    low, high = sorted((abs(point.low), abs(point.high)))
    if point.low <= 0 <= point.high:
        return (
            f"No clear difference between {run} and {baseline} at k = {point.k:,}: {signed(point.value)} points "
            f"({signed(point.low)} to {signed(point.high)})."
        )
    return (
        f"{run} solves {points(abs(point.value))} points {more} than {baseline} at k = {point.k:,} "
        f"({points(low)} to {points(high)})."
    )


def _band_layers(curves: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """The whole band very faint; over it, shaded, the stretches whose interval leaves out zero."""
    faint, shaded = axes.band_layer(curves, x, y), axes.band_layer(curves, x, y)
    faint["mark"] = faint["mark"] | {"opacity": 0.06}
    rows, stretch = [], 0
    for place, curve in enumerate(curves):
        stretch += 1
        for row in line_rows([curve]):
            if row["low"] is not None and row["high"] is not None and not row["low"] <= 0 <= row["high"]:
                rows.append(row | {"series": place, "stretch": stretch})
            else:
                stretch += 1
    shaded["name"] = "clear of zero"
    shaded["mark"] = shaded["mark"] | {"opacity": 0.18}
    shaded["data"] = {"values": rows}
    shaded["encoding"]["detail"] = {"field": "stretch", "type": "nominal"}
    return [faint, shaded]


def _bounds(point: Point) -> tuple[float, ...]:
    return tuple(one for one in (point.value, point.low, point.high) if one is not None)


def _axis(reach: float, baseline: str) -> dict[str, Any]:
    top = max(0.05, math.ceil(reach * 20) / 20)
    return {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [-top, top], "nice": False},
        "axis": {
            "format": "+.0%",
            "labelExpr": "datum.value == 0 ? '0' : datum.label",
            "title": f"Coverage less that of {baseline}",
            "tickCount": 5,
        },
    }


def _zero_layer(y: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {"values": [{"value": 0, "slot": INK}]},
        "mark": {"type": "rule", "strokeWidth": 1.5, "opacity": 0.8, "aria": False, "tooltip": None},
        "encoding": {"y": y, "color": color()},
    }


def _hover_rows(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for k in sorted({point.k for curve in curves for point in curve.points}):
        row: dict[str, Any] = {"x": k, "k": f"{k:,}"}
        for place, curve in enumerate(curves):
            row[f"curve{place}"] = _text(curve.at(k), curve.last.k)
        rows.append(row)
    return rows


def _text(point: Point | None, end: int) -> str:
    if point is None:
        return f"— ends at n = {end:,}"
    if point.low is None or point.high is None:
        return signed(point.value)
    return f"{signed(point.value)} ({signed(point.low)} to {signed(point.high)})"


def _titles(curves: Sequence[Curve]) -> list[tuple[str, str]]:
    return [("k", "k"), *((f"curve{place}", curve.label) for place, curve in enumerate(curves))]
