"""The last hour of the workers: throughput and latency by the minute. Pure functions; a gap is drawn as a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
#: What is not known is left out of a line, and the ends of its axis are as given. Height, pixels.
_GAPS, _HEIGHT = "break-paths-show-domains", 180
#: Queues belong to no run, so they have no hues; a sixth one is dashed as the first.
_DASHES = [[1, 0], [4, 3], [1, 3], [9, 3], [9, 3, 2, 3]]


def throughput_spec(minutes: Sequence[Row], column: str, title: str) -> dict[str, Any]:
    """One line of a rate, a second, over the last hour; `minutes` have `minute` (ISO 8601) and counts or None."""
    values = [
        {"minute": str(row["minute"]), "rate": None if row[column] is None else row[column] / 60} for row in minutes
    ]
    return {
        "data": {"values": values},
        "height": _HEIGHT,
        "mark": {"type": "area", "line": True, "opacity": 0.25, "interpolate": "step-after", "invalid": _GAPS},
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


def queue_depth_spec(depths: Sequence[Row]) -> dict[str, Any]:
    """How many batches waited, a line a queue; `depths` have `minute` (ISO 8601), `queue`, and `waiting` or None."""
    values = [
        {"minute": str(row["minute"]), "queue": str(row["queue"]), "waiting": row["waiting"], "in_work": row["in_work"]}
        for row in depths
    ]
    queues = list(dict.fromkeys(row["queue"] for row in values))
    return {
        "data": {"values": values},
        "height": _HEIGHT,
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "strokeWidth": 2,
            "invalid": _GAPS,
        },
        "encoding": {
            "x": _minutes(depths),
            "y": {
                "field": "waiting",
                "type": "quantitative",
                "title": None,
                "axis": {"tickMinStep": 1},
                "scale": {"domain": [0, _top(values, "waiting")]},
            },
            "strokeDash": {
                "field": "queue",
                "type": "nominal",
                "title": None,
                "scale": {"domain": queues, "range": _DASHES},
                "legend": {"orient": "top", "offset": 4, "symbolType": "stroke", "labelLimit": 260, "columns": 1},
            },
            "tooltip": [
                {"field": "minute", "type": "temporal", "format": "%H:%M", "title": "minute"},
                {"field": "queue", "type": "nominal", "title": "queue"},
                {"field": "waiting", "type": "quantitative", "format": ",", "title": "waiting, at most"},
                {"field": "in_work", "type": "quantitative", "format": ",", "title": "in work, at most"},
            ],
        },
    }


def latency_spec(latency: Sequence[Row], minutes: Sequence[Row]) -> dict[str, Any]:
    """Median and 95th percentile of the seconds from planning a judging batch to its verdicts, over `minutes`."""
    values = [
        {"minute": str(row["minute"]), "quantile": name, "seconds": row[key]}
        for row in latency
        for key, name in (("p50", "median"), ("p95", "95 %"))
    ]
    return {
        "data": {"values": values},
        "height": _HEIGHT,
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": _minutes(minutes),
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
