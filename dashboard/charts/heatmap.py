"""Problems against runs: how often each problem fell to each run, the hardest problem on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.charts.palette import GREY, INK, color
from dashboard.wording import percent

#: Rows of one page of the chart; more are paged.
MOST_ROWS = 500
#: Height of a row, pixels.
_STEP = 18
#: Shares differ by orders of magnitude, so the colour follows their square root and the legend names what it means.
_NAMED = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
_MARKS = {"never": "×", "nothing": "/"}


def by_difficulty(rates: Mapping[str, Mapping[str, tuple[int, int]]]) -> list[str]:
    """Problems, the hardest first by their mean c/n over the runs that judged them; those nobody judged come last.

    `rates` has (n, c) by problem within run.
    """
    shares: dict[str, list[float]] = {}
    for problems in rates.values():
        for problem, (n, c) in problems.items():
            shares.setdefault(problem, []).extend([c / n] if n else [])
    return sorted(shares, key=lambda name: sum(shares[name]) / len(shares[name]) if shares[name] else 2.0)


def heatmap_spec(rates: Mapping[str, Mapping[str, tuple[int, int]]], problems: Sequence[str]) -> dict[str, Any]:
    """Vega-Lite spec: x runs, y the given problems in their order, colour c/n from 0 to 1.

    A problem never solved is grey with a cross, one without judged samples an empty cell with a stroke: neither can
    be read as a low share.
    """
    cells = [
        _cell(run, problem, *by_problem.get(problem, (0, 0)))
        for run, by_problem in rates.items()
        for problem in problems
    ]
    x = {
        "field": "run",
        "type": "nominal",
        "sort": list(rates),
        "axis": {"title": None, "labelAngle": 0, "orient": "top", "labelFlush": False, "labelLimit": 150},
        "scale": {"paddingInner": 0.02},
    }
    y = {
        "field": "problem",
        "type": "nominal",
        "sort": list(problems),
        "axis": {"title": None, "labelLimit": 160, "labelOverlap": False, "labelFlush": False, "labelFontSize": 11},
        "scale": {"paddingInner": 0.1},
    }
    place = {"x": x, "y": y, "tooltip": [{"field": name} for name in ("run", "problem", "correct", "share")]}
    share = {
        "field": "value",
        "type": "quantitative",
        "scale": {"type": "sqrt", "domain": [0, 1]},
        "legend": {"title": "Share correct", "format": ".0%", "values": list(_NAMED), "gradientLength": 160},
    }
    rect = {"type": "rect", "aria": False}
    empty = rect | {"filled": False, "strokeDash": [3, 3], "strokeWidth": 1}
    return {
        "description": _finding(cells),
        "autosize": {"type": "fit-x", "contains": "padding"},
        "height": _STEP * max(1, len(problems)),
        "resolve": {"scale": {"color": "independent"}},
        "layer": [
            {"data": {"values": _of(cells, "some")}, "mark": rect, "encoding": place | {"color": share}},
            {
                "data": {"values": _of(cells, "never")},
                "mark": rect | {"opacity": 0.35},
                "encoding": place | {"color": color()},
            },
            {"data": {"values": _of(cells, "nothing")}, "mark": empty, "encoding": place | {"color": color()}},
            {
                "data": {"values": [cell | {"slot": INK} for cell in cells if cell["kind"] in _MARKS]},
                "mark": {"type": "text", "fontSize": 12, "aria": False},
                "encoding": place | {"text": {"field": "mark", "type": "nominal"}, "color": color()},
            },
        ],
    }


def _cell(run: str, problem: str, n: int, c: int) -> dict[str, Any]:
    kind = "some" if c else "never" if n else "nothing"
    return {
        "run": run,
        "problem": problem,
        "kind": kind,
        "value": c / n if n else None,
        "mark": _MARKS.get(kind, ""),
        "slot": GREY,
        "correct": f"{c:,} of {n:,}",
        "share": percent(c / n) if n else "not judged",
    }


def _of(cells: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [cell for cell in cells if cell["kind"] == kind]


def _finding(cells: Sequence[dict[str, Any]]) -> str:
    counted = {kind: len(_of(cells, kind)) for kind in ("some", "never", "nothing")}
    return (
        f"{len(cells):,} pairs of a problem and a run: {counted['some']:,} solved, {counted['never']:,} never solved, "
        f"{counted['nothing']:,} without a judged sample."
    )
