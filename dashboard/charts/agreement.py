"""Precision against recall of a scoring verifier over its thresholds, with the one in force marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.charts.palette import INK, color
from dashboard.wording import percent


def precision_recall_spec(rows: Sequence[Mapping[str, Any]], threshold: float, slot: int) -> dict[str, Any]:
    """Vega-Lite spec: x recall, y precision; `rows` have threshold, precision, recall and accepted, by threshold."""
    drawn = [
        {
            "x": row["recall"],
            "value": row["precision"],
            "order": place,
            "slot": slot,
            "threshold": f"{row['threshold']:.3g}",
            "precision": percent(row["precision"]),
            "recall": percent(row["recall"]),
            "accepted": f"{row['accepted']:,}",
        }
        for place, row in enumerate(rows)
        if row["precision"] is not None and row["recall"] is not None
    ]
    here = [dict(row, slot=INK) for row in drawn if float(row["threshold"]) == float(f"{threshold:.3g}")][:1]
    scale = {"domain": [0, 1], "nice": False}
    x = {"field": "x", "type": "quantitative", "scale": scale, "axis": {"format": ".0%", "title": "Recall"}}
    y = {"field": "value", "type": "quantitative", "scale": scale, "axis": {"format": ".0%", "title": "Precision"}}
    order = {"field": "order", "type": "quantitative"}
    fields = ("threshold", "precision", "recall", "accepted")
    tooltip = [{"field": field, "type": "nominal"} for field in fields]
    point = {"type": "point", "filled": True, "size": 34}
    return {
        "description": _finding(here),
        "height": 320,
        "layer": [
            {
                "data": {"values": drawn},
                "mark": {"type": "line", "strokeWidth": 2.5, "tooltip": None},
                "encoding": {"x": x, "y": y, "order": order, "color": color()},
            },
            {
                "data": {"values": drawn},
                "mark": point | {"opacity": 0.5, "aria": False},
                "encoding": {"x": x, "y": y, "color": color(), "tooltip": tooltip},
            },
            {
                "data": {"values": here},
                "mark": {"type": "point", "size": 160, "strokeWidth": 2.5, "filled": False, "aria": False},
                "encoding": {"x": x, "y": y, "color": color(), "tooltip": tooltip},
            },
        ],
    }


def _finding(here: Sequence[Mapping[str, Any]]) -> str:
    if not here:
        return "Precision against recall over the thresholds of a score."
    row = here[0]
    return (
        f"At threshold {row['threshold']} precision is {row['precision']} and recall {row['recall']}; "
        f"{row['accepted']} samples are accepted."
    )
