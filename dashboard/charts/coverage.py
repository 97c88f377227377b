"""Coverage against the number of samples: the share of problems with at least one correct sample among k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.charts import axes
from dashboard.charts.curves import Curve
from dashboard.wording import percent, percent_with


def coverage_spec(
    curves: Sequence[Curve],
    marker: int | None = None,
    band: bool = True,
    y_title: str = "Coverage: problems solved",
    height: int = axes.HEIGHT,
) -> dict[str, Any]:
    """Vega-Lite spec of coverage curves over one shared lattice of k.

    A curve ends at its own n with an open circle; nothing is drawn beyond. `marker` is the k of a dashed rule.
    """
    ranked = sorted(curves, key=lambda curve: curve.last.value, reverse=True)
    largest = max((curve.last.k for curve in ranked), default=1)
    x, y = axes.k_axis(largest), axes.share_axis(y_title)
    layers = [axes.band_layer(ranked, x, y)] if band else []
    layers.append(axes.line_layer(ranked, x, y))
    if marker is not None and marker <= largest:
        layers += axes.marker_layers(marker, f"k = {marker:,}", x)
    layers.append(axes.end_layer(ranked, x, y))
    layers.append(axes.label_layer(((end_label(curve, largest), curve.slot, curve.last.value) for curve in ranked), y))
    layers += axes.hover_layers(ranked, hover_rows(ranked), hover_titles(ranked), x, y)
    return axes.frame(layers, coverage_finding(ranked), height)


def end_label(curve: Curve, largest: int) -> str:
    """What stands beside a curve: its name and where it got to, and its n when others go further."""
    reached = f"{curve.label} {percent(curve.last.value)}"
    return reached if curve.last.k >= largest else f"{reached}, ends at n = {curve.last.k:,}"


def hover_rows(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """For each k that any curve has: the text of every curve, also of those that have ended."""
    lattice = sorted({point.k for curve in curves for point in curve.points})
    rows: list[dict[str, Any]] = []
    for k in lattice:
        row: dict[str, Any] = {"x": k, "k": f"{k:,}"}
        for place, curve in enumerate(curves):
            point = curve.at(k)
            text = f"— ends at n = {curve.last.k:,}" if k > curve.last.k else "—"
            row[f"curve{place}"] = percent_with(point.value, point.low, point.high) if point else text
        rows.append(row)
    return rows


def hover_titles(curves: Sequence[Curve]) -> list[tuple[str, str]]:
    """The card's fields and titles, in the order of the curves."""
    return [("k", "k"), *((f"curve{place}", curve.label) for place, curve in enumerate(curves))]


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
