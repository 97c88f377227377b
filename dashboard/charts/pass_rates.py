"""How hard the problems are: problems by the share of their samples that are correct."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.charts.palette import GREY, color
from dashboard.charts.quantities import log_ticks
from dashboard.wording import percent

_X_TITLE = "Share of samples correct (log bins)"
#: Labels lie flat where there is room for them; a chart of its own knows its width, one among several is narrow.
_NARROW = "width < 70 * domain('x').length"
_LABELS = {
    "labelAngle": {"expr": f"{_NARROW} ? -35 : 0"},
    "labelAlign": {"expr": f"{_NARROW} ? 'right' : 'center'"},
}
#: Upper edges of the bins of a pass rate, about two to a decade.
_EDGES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


@dataclass(frozen=True)
class PassRateBin:
    """Problems whose pass rate lies in (low, high]; never and always solved ones have bins of their own."""

    label: str
    low: float
    high: float
    problems: int
    never: bool = False


def pass_rate_bins(records: Sequence[Mapping[str, Any]]) -> list[PassRateBin]:
    """Bins over problems with n > 0: never solved, log bins from 1/n up, every sample correct."""
    judged = [(row["c"], row["n"]) for row in records if row["n"]]
    rates = [c / n for c, n in judged]
    most = max((n for _, n in judged), default=1)
    edges = [edge for edge in _EDGES if edge * most >= 1]
    bounds = list(zip([0.0, *edges], [*edges, 1.0], strict=True))
    bins = [PassRateBin("never", 0, 0, sum(rate == 0 for rate in rates), never=True)]
    for low, high in bounds:
        inside = sum(low < rate <= high and rate < 1 for rate in rates)
        bins.append(PassRateBin(_range(low, high), low, high, inside))
    bins.append(PassRateBin("always", 1, 1, sum(rate == 1 for rate in rates)))
    return bins


def _range(low: float, high: float) -> str:
    def whole(share: float) -> str:
        return f"{100 * share:g}"

    if low == 0:
        return f"up to {whole(high)} %"
    return f"{whole(low)}–{whole(high)} %" if high < 1 else f"over {whole(low)} %"


def pass_rate_spec(
    bins: Sequence[PassRateBin], slot: int, samples: int, title: str | None = None, height: int = 260
) -> dict[str, Any]:
    """Vega-Lite spec of the histogram; `samples` is the largest n of a problem, which bounds what can be seen.

    Never and always solved problems stand apart at both ends: their bins are no ranges.
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
    return named | {
        "description": pass_rate_finding(bins, samples),
        "height": height,
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 2},
                "encoding": {"x": x, "y": y, "color": color(), "tooltip": tooltip},
            },
            {
                "mark": {"type": "text", "dy": -8, "fontWeight": 600, "aria": False, "tooltip": None},
                "encoding": {"x": x, "y": y, "text": {"field": "problems", "type": "quantitative"}, "color": color()},
            },
        ],
    }


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
