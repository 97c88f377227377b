"""The last hour of the workers: throughput and latency by the minute. Pure functions; a gap is drawn as a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def throughput_spec(minutes: Sequence[Row], column: str, title: str) -> dict[str, Any]:
    """One line of a rate, a second, over the last hour; `minutes` have `minute` (ISO 8601) and counts or None."""
    values = [
        {"minute": str(row["minute"]), "rate": None if row[column] is None else row[column] / 60} for row in minutes
    ]
    return {
        "data": {"values": values},
        "height": 150,
        "mark": {"type": "area", "line": True, "opacity": 0.25, "interpolate": "step-after", "invalid": "break-paths"},
        "encoding": {
            "x": _minutes(minutes),
            "y": {
                "field": "rate",
                "type": "quantitative",
                "title": None,
                "scale": {"domain": [0, _top(values, "rate")]},
            },
            "tooltip": [
                {"field": "minute", "type": "temporal", "format": "%H:%M", "title": "minute"},
                {"field": "rate", "type": "quantitative", "format": ",.1f", "title": title},
            ],
        },
    }


def latency_spec(latency: Sequence[Row]) -> dict[str, Any]:
    """Median and 95th percentile of the seconds from planning a judging batch to its verdicts."""
    values = [
        {"minute": str(row["minute"]), "quantile": name, "seconds": row[key]}
        for row in latency
        for key, name in (("p50", "median"), ("p95", "95 %"))
    ]
    return {
        "data": {"values": values},
        "height": 150,
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": _minutes(latency),
            "y": {
                "field": "seconds",
                "type": "quantitative",
                "title": None,
                "scale": {"domain": [0, _top(values, "seconds")]},
            },
            "strokeDash": {
                "field": "quantile",
                "type": "nominal",
                "title": None,
                "scale": {"domain": ["median", "95 %"], "range": [[1, 0], [4, 3]]},
                "legend": {"orient": "top", "offset": 4, "symbolType": "stroke"},  # above the lines, never on them
            },
            "tooltip": [
                {"field": "minute", "type": "temporal", "format": "%H:%M", "title": "minute"},
                {"field": "quantile", "type": "nominal", "title": "quantile"},
                {"field": "seconds", "type": "quantitative", "format": ",.2f", "title": "seconds"},
            ],
        },
    }


def _minutes(rows: Sequence[Row]) -> dict[str, Any]:
    """The axis of time: its ends are given, so that nothing has to be known of the data before they are there."""
    ends = [str(rows[0]["minute"]), str(rows[-1]["minute"])] if len(rows) > 1 else None
    return {
        "field": "minute",
        "type": "temporal",
        "title": None,
        "axis": {"format": "%H:%M", "tickCount": 6},
        **({"scale": {"domain": ends}} if ends else {}),
    }


def _top(values: Sequence[Row], name: str) -> float:
    return 1.1 * max((float(row[name] or 0) for row in values), default=0) or 1.0
