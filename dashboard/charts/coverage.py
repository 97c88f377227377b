"""Coverage against samples, tokens, US$ or FLOPs: the share of problems with a correct sample among k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dashboard.charts import axes
from dashboard.charts.curves import Curve, Forecast
from dashboard.charts.measures import SOLVED, Measure
from dashboard.charts.palette import GREY
from dashboard.charts.quantities import SAMPLES, Quantity
from dashboard.wording import percent, percent_with, tick


@dataclass(frozen=True)
class Beyond:
    """What is drawn beside the curves: forecasts after their ends, and envelopes where problems have fewer samples."""

    forecasts: Sequence[Forecast] = ()
    envelopes: Sequence[Curve] = ()


def coverage_spec(
    curves: Sequence[Curve],
    marker: int | None = None,
    band: bool = True,
    y_title: str | None = None,
    height: int = axes.HEIGHT,
    quantity: Quantity = SAMPLES,
    measure: Measure = SOLVED,
    zoom: bool = False,
    beyond: Beyond = Beyond(),
    fits: Sequence[Curve] = (),
) -> dict[str, Any]:
    """Vega-Lite spec of coverage curves; against samples over one shared lattice of k.

    A curve ends at its own n with an open circle; nothing is drawn beyond but a dotted forecast. `marker` is the k of
    a dashed rule (a dot on every curve where x is not k), `fits` are lines of fitted laws (thin, dashed).
    """
    ranked = sorted(curves, key=lambda curve: curve.last.value, reverse=True)
    largest = max((curve.last.k for curve in ranked), default=1)
    shown = measure.drawn(ranked)
    futures = measure.drawn([one.curve for one in beyond.forecasts])
    envelopes = measure.drawn(beyond.envelopes)
    x = axes.quantity_axis(quantity, [*ranked, *[one.curve for one in beyond.forecasts], *beyond.envelopes])
    span = measure.span([*(shown if band else bare(shown)), *bare(futures), *envelopes], zoom)
    y = measure.axis(span, y_title)
    layers = [_envelope_layer(envelopes, x, y)] if envelopes else []
    layers += [axes.band_layer(shown, x, y)] if band else []
    layers += axes.forecast_layers(futures if band else bare(futures), x, y)
    layers.append(axes.line_layer(shown, x, y))
    layers += _fit_layers(measure.drawn(fits), x, y)
    layers += _marker(ranked, shown, marker, quantity, x, y)
    layers.append(axes.end_layer(shown, x, y))
    layers.append(axes.label_layer(_labels(ranked, shown, futures, beyond, largest), y, span, height))
    if quantity is SAMPLES:
        layers += axes.hover_layers(shown, hover_rows(ranked), hover_titles(ranked), x, y)
    else:
        layers.append(axes.point_hover_layer(_point_rows(ranked, shown, quantity), _POINT_TITLES, x, y))
    for layer in layers:  # a fan may leave the range that the curves and their bands need
        if layer["mark"]["type"] in ("area", "line"):
            layer["mark"] = layer["mark"] | {"clip": True}
    return axes.frame(layers, coverage_finding(ranked), height)


_POINT_TITLES = (("run", "run"), ("k", "k"), ("takes", "per problem"), ("solved", "solved"))


def bare(curves: Sequence[Curve]) -> list[Curve]:
    """Curves without their intervals."""
    return [
        replace(curve, points=tuple(replace(point, low=None, high=None) for point in curve.points)) for curve in curves
    ]


def end_label(curve: Curve, largest: int) -> str:
    """What stands beside a curve: its name and where it got to, and its n when others go further."""
    reached = f"{curve.label} {percent(curve.last.value)}"
    return reached if curve.last.k >= largest else f"{reached}, ends at n = {curve.last.k:,}"


def _labels(
    ranked: Sequence[Curve], shown: Sequence[Curve], futures: Sequence[Curve], beyond: Beyond, largest: int
) -> list[tuple[str, int, float]]:
    by_name = {curve.label: curve for curve in ranked}
    labels = [(end_label(by_name[curve.label], largest), curve.slot, curve.last.value) for curve in shown]
    ratios = {one.curve.label: one.ratio for one in beyond.forecasts}
    foretold = {one.curve.label: one.curve.last.value for one in beyond.forecasts}
    for curve in futures:
        text = f"forecast {percent(foretold[curve.label])}, {ratios[curve.label]:.0f}x beyond the data"
        labels.append((text, curve.slot, curve.last.value))
    return labels


def _envelope_layer(envelopes: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    layer = axes.band_layer(envelopes, x, y)
    layer["name"] = "envelopes"
    layer["mark"] = layer["mark"] | {"opacity": 0.22, "strokeWidth": 0}
    return layer


def _fit_layers(fits: Sequence[Curve], x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    if not fits:
        return []
    layer = axes.line_layer(fits, x, y)
    layer["name"] = "fits"
    layer["mark"] = layer["mark"] | {"strokeWidth": 1.2, "opacity": 0.9}
    layer["encoding"]["strokeDash"] = {"value": [7, 4]}
    return [layer]


def _marker(
    ranked: Sequence[Curve],
    shown: Sequence[Curve],
    marker: int | None,
    quantity: Quantity,
    x: dict[str, Any],
    y: dict[str, Any],
) -> list[dict[str, Any]]:
    if marker is None or marker > max((curve.last.k for curve in ranked), default=0):
        return []
    if quantity is SAMPLES:
        return axes.marker_layers(marker, f"k = {marker:,}", x)
    rows = [
        {"x": point.x, "value": point.value, "slot": curve.slot, "text": f"k = {tick(marker)}"}
        for curve in shown
        if (point := curve.at(marker))
    ]
    return axes.dot_layers(rows, x, y)


def _point_rows(ranked: Sequence[Curve], shown: Sequence[Curve], quantity: Quantity) -> list[dict[str, Any]]:
    by_name = {curve.label: curve for curve in ranked}
    rows = []
    for curve in shown:
        for point in curve.points:
            true = by_name[curve.label].at(point.k) or point
            rows.append(
                {
                    "x": point.x,
                    "value": point.value,
                    "slot": curve.slot,
                    "run": curve.label,
                    "k": f"{point.k:,}",
                    "takes": quantity.text(point.x),
                    "solved": percent_with(true.value, true.low, true.high),
                }
            )
    return rows


def hover_rows(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """For each k that any curve has: the text of every curve, also of those that have ended."""
    lattice = sorted({point.k for curve in curves for point in curve.points})
    at = [{point.k: point for point in curve.points} for curve in curves]
    rows: list[dict[str, Any]] = []
    for k in lattice:
        row: dict[str, Any] = {"x": k, "k": f"{k:,}"}
        for place, curve in enumerate(curves):
            point = at[place].get(k)
            text = f"— ends at n = {curve.last.k:,}" if k > curve.last.k else "—"
            row[f"curve{place}"] = percent_with(point.value, point.low, point.high) if point else text
        rows.append(row)
    return rows


def hover_titles(curves: Sequence[Curve]) -> list[tuple[str, str]]:
    """The card's fields and titles, in the order of the curves."""
    return [("k", "k"), *((f"curve{place}", curve.label) for place, curve in enumerate(curves))]


def small_multiple_spec(
    curve: Curve, context: Sequence[Curve], largest: int, band: bool = True, height: int = 230
) -> dict[str, Any]:
    """Vega-Lite spec of one run among the others, drawn in grey: one of several with the same axes."""
    x, y = axes.k_axis(largest, title=""), SOLVED.axis(SOLVED.span([curve]), "")
    x["axis"]["title"] = y["axis"]["title"] = None
    grey = axes.line_layer([replace(one, slot=GREY, dash=0) for one in context], x, y)
    grey["name"] = "context"
    grey["mark"] = grey["mark"] | {"strokeWidth": 1, "opacity": 0.55, "aria": False}
    layers = [grey, *([axes.band_layer([curve], x, y)] if band else []), axes.line_layer([curve], x, y)]
    layers.append(axes.end_layer([curve], x, y))
    layers += axes.hover_layers([curve], hover_rows([curve]), hover_titles([curve]), x, y)
    spec = axes.frame(layers, coverage_finding([curve]), height)
    spec["title"] = {
        "text": f"{curve.label} · {percent(curve.last.value)}",
        "subtitle": f"n = {curve.last.k:,}",
        "offset": 8,
    }
    spec["padding"] = {"left": 52, "right": 16, "top": 48, "bottom": 34}
    return spec


def coverage_finding(curves: Sequence[Curve]) -> str:
    """What the chart shows, in words, for whoever cannot see it."""
    if not curves:
        return "No curve to draw."
    said = [
        f"{curve.label} rises from {percent(curve.points[0].value)} at k = {curve.points[0].k:,} "
        f"to {percent(curve.last.value)} at k = {curve.last.k:,}"
        for curve in curves
    ]
    return "; ".join(said) + "."
