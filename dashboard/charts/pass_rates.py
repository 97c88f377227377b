"""How hard the problems are: problems by the share of their samples that are correct."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.charts.palette import GREY, color
from dashboard.charts.quantities import log_ticks
from dashboard.charts.rate_bins import PassRateBin
from dashboard.wording import percent

_X_TITLE = "Share of samples correct (log bins)"
#: Labels lie flat where there is room for them; a chart of its own knows its width, one among several is narrow.
_NARROW = "width < 70 * domain('x').length"
_LABELS = {
    "labelAngle": {"expr": f"{_NARROW} ? -35 : 0"},
    "labelAlign": {"expr": f"{_NARROW} ? 'right' : 'center'"},
}


def pass_rate_spec(
    bins: Sequence[PassRateBin],
    slot: int,
    samples: int,
    title: str | None = None,
    height: int = 260,
    chosen: str | None = None,
) -> dict[str, Any]:
    """Vega-Lite spec of the histogram; `samples` is the largest n of a problem, which bounds what can be seen.

    Never and always solved problems stand apart at both ends: their bins are no ranges. Beside the bin with the name
    `chosen` the others are faint.
    """
    rows = [
        {"bin": one.label, "problems": one.problems, "slot": GREY if one.never else slot, "order": place}
        for place, one in enumerate(bins)
    ]
    order = [bins[0].label, " ", *(one.label for one in bins[1:-1]), "  ", bins[-1].label] if bins else []
    x: dict[str, Any] = {
        "field": "bin",
        "type": "ordinal",
        "sort": order,
        "axis": {"labelOverlap": False}
        | ({"title": None, "labelAngle": -35} if title else {"title": _X_TITLE} | _LABELS),
        "scale": {"paddingInner": 0.15, "domain": order},
    }
    top = max((one.problems for one in bins), default=1)
    y = {
        "field": "problems",
        "type": "quantitative",
        "axis": {"title": "Problems", "tickMinStep": 1, "tickCount": 4},
        "scale": {"domain": [0, max(1, math.ceil(top * 1.12))]},
    }
    tooltip = [
        {"field": "bin", "type": "nominal", "title": "pass rate"},
        {"field": "problems", "type": "quantitative", "title": "problems"},
    ]
    named = {"title": {"text": title, "offset": 8}} if title else {}
    here = [one.label for one in bins if one.name == chosen]
    faint = (
        {"opacity": {"condition": {"test": {"field": "bin", "oneOf": here}, "value": 1}, "value": 0.35}} if here else {}
    )
    return named | {
        "description": pass_rate_finding(bins, samples),
        "height": height,
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 2},
                "encoding": {"x": x, "y": y, "color": color(), "tooltip": tooltip} | faint,
            },
            {
                "mark": {"type": "text", "dy": -8, "fontWeight": 600, "aria": False, "tooltip": None},
                "encoding": {"x": x, "y": y, "text": {"field": "problems", "type": "quantitative"}, "color": color()},
            },
        ],
    }


#: The name under which a page hears of a bar that was clicked.
CLICKED = "bar"


def clickable(spec: dict[str, Any]) -> dict[str, Any]:
    """The same histogram for a page: a click on a bar is told by its `bin`."""
    bars, *above = spec["layer"]
    select = {"type": "point", "fields": ["bin"], "toggle": False}
    bars = bars | {"mark": bars["mark"] | {"cursor": "pointer"}, "params": [{"name": CLICKED, "select": select}]}
    return spec | {"layer": [bars, *above]}


def pass_rate_finding(bins: Sequence[PassRateBin], samples: int) -> str:
    """What the histogram shows, in one sentence."""
    total = sum(one.problems for one in bins)
    never = sum(one.problems for one in bins if one.never)
    if not total:
        return "No problem has been judged."
    return f"{never:,} of {total:,} problems ({percent(never / total)}) were never solved in up to {samples:,} samples."


def sorted_rates_spec(records: Sequence[Mapping[str, Any]], slot: int, height: int = 260) -> dict[str, Any]:
    """Vega-Lite spec of the pass rate of each problem, from easy to hard, log axis; never solved ones are crosses."""
    judged = sorted((row for row in records if row["n"]), key=lambda row: row["c"] / row["n"], reverse=True)
    least = min((row["c"] / row["n"] for row in judged if row["c"]), default=0.1) / 2
    rows = [
        {"place": place, "rate": row["c"] / row["n"], "floor": least, "slot": slot, "problem": row["problem"]}
        for place, row in enumerate(judged, 1)
    ]
    x = {
        "field": "place",
        "type": "quantitative",
        "scale": {"domain": [0, max(1, len(rows) + 1)], "nice": False},
        "axis": {"title": "Problems, from easy to hard", "tickMinStep": 1, "grid": False},
    }
    scale = {"type": "log", "domain": [least, 1], "nice": False}
    y = {
        "field": "rate",
        "type": "quantitative",
        "scale": scale,
        "axis": {"title": "Pass rate (log)", "format": "~p", "values": log_ticks(least, 1)},
    }
    solved = [row for row in rows if row["rate"] > 0]
    never = [row | {"slot": GREY} for row in rows if not row["rate"]]
    tooltip = [{"field": "problem", "type": "nominal"}, {"field": "rate", "type": "quantitative", "format": ".2%"}]
    cross = {"type": "point", "shape": "cross", "size": 30, "filled": True, "aria": False}
    return {
        "description": f"{len(solved):,} of {len(rows):,} problems were solved at least once.",
        "height": height,
        "layer": [
            {
                "data": {"values": solved},
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": x, "y": y, "y2": {"field": "floor"}, "color": color(), "tooltip": tooltip},
            },
            {
                "data": {"values": never},
                "mark": cross,
                "encoding": {"x": x, "y": y | {"field": "floor"}, "color": color(), "tooltip": tooltip},
            },
        ],
    }
