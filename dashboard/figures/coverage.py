"""The figure of coverage: curves against samples, tokens, US$ or FLOPs, with forecasts, bounds or fitted laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dashboard.answers import Asker, Row
from dashboard.charts.coverage import Beyond, coverage_finding, coverage_spec, small_multiple_spec
from dashboard.charts.curves import Curve, Forecast
from dashboard.charts.measures import MINUS_LOG, SOLVED, UNSOLVED, Measure
from dashboard.charts.quantities import SAMPLES, Quantity
from dashboard.figures.drawn import BOUNDS, COMPLETE, Counting, Drawn, envelopes, notes_of, sql_of
from dashboard.figures.figure import Figure
from dashboard.figures.laws import Fit, fits, forecasts
from dashboard.figures.model_sizes import Size
from dashboard.figures.spending import against
from dashboard.wording import interval, percent, plural


@dataclass(frozen=True)
class View:
    """How coverage is looked at."""

    marker: int | None = None
    band: bool = True
    quantity: Quantity = SAMPLES
    measure: Measure = SOLVED
    zoom: bool = False
    forecast: bool = False
    counting: Counting = field(default_factory=Counting)
    sizes: Mapping[str, Size] = field(default_factory=dict)


@dataclass(frozen=True)
class CoverageFigure:
    """The figure and what a page says beside it."""

    figure: Figure
    drawn: list[Drawn]
    forecasts: list[Forecast]
    fits: list[Fit]
    said: tuple[str, ...]


def coverage_figure(asker: Asker, drawn: Sequence[Drawn], view: View) -> CoverageFigure:
    """Curves that have been drawn, in the reader's view."""
    shown, said = against(asker, drawn, view.quantity, view.sizes)
    beyond, refused = _beyond(asker, shown, view)
    laws = fits(shown) if view.measure is MINUS_LOG else []
    spec = coverage_spec(
        [one.curve for one in shown],
        view.marker,
        view.band,
        quantity=view.quantity,
        measure=view.measure,
        zoom=view.zoom,
        beyond=beyond,
        fits=[fit.curve for fit in laws],
    )
    records = [row for one in shown for row in one.rows]
    figure = Figure(
        "coverage", "Coverage", spec, _caption(shown, view, beyond.forecasts), records, sql_of(shown), notes_of(shown)
    )
    return CoverageFigure(figure, shown, list(beyond.forecasts), laws, (*said, *refused))


def _beyond(asker: Asker, shown: Sequence[Drawn], view: View) -> tuple[Beyond, list[str]]:
    edges = envelopes(shown) if view.counting.policy == BOUNDS and view.quantity is SAMPLES else []
    if not view.forecast:
        return Beyond(envelopes=edges), []
    told, refused = forecasts(asker, shown, view.counting)
    if view.quantity is not SAMPLES:
        scale = {one.curve.label: one.curve.points[0].x / one.curve.points[0].k for one in shown}
        told = [replace(one, curve=one.curve.along(scale[one.curve.label])) for one in told]
    return Beyond(told, edges), refused


_MEASURED = {
    SOLVED.key: "Expected share of problems with at least one correct sample among k, unbiased",
    UNSOLVED.key: "Expected share of problems with no correct sample among k, unbiased",
    MINUS_LOG.key: "Minus the logarithm of coverage: where ln coverage = a k^b holds, a curve is a straight line",
}


def _caption(shown: Sequence[Drawn], view: View, told: Sequence[Forecast]) -> str:
    problems = sorted({one.rows[0]["problems"] for one in shown}) or [0]
    over = plural(problems[0], "problem") if len(problems) == 1 else f"{problems[0]:,} to {problems[-1]:,} problems"
    parts = [f"{_MEASURED[view.measure.key]}, over {over}."]
    if view.band:
        parts.append(f"Band: 95 % interval over {over} (Wilson, effective n).")
    parts.append(_ends(shown, view))
    if told:
        parts.append("Dotted: a forecast, no estimate; its fan spans every law tried.")
    return " ".join(part for part in parts if part)


def _ends(shown: Sequence[Drawn], view: View) -> str:
    if view.counting.policy == COMPLETE:
        left = {row["problems_used"] for one in shown for row in one.rows if row["problems_used"]}
        fewest = min(left, default=0)
        return (
            f"Complete cases: at each k only problems with k or more samples count, {fewest:,} at the fewest, so the "
            "set of problems changes along a curve."
        )
    if view.counting.policy == BOUNDS:
        return "Grey: from samples that were not drawn being all wrong to all correct."
    return "A curve ends (open circle) at the smallest n of its problems."


def small_multiples(drawn: Sequence[Drawn], band: bool = True) -> list[Figure]:
    """One chart a run, sorted by where its coverage ends; the others as grey context, axes shared."""
    ranked = sorted(drawn, key=lambda one: one.curve.last.value, reverse=True)
    largest = max((one.curve.last.k for one in ranked), default=1)
    return [
        Figure(
            f"coverage of {one.curve.label}",
            one.curve.label,
            small_multiple_spec(one.curve, _others(ranked, one), largest, band),
            coverage_finding([one.curve]),
            list(one.rows),
            one.sql,
            one.notes,
        )
        for one in ranked
    ]


def _others(ranked: Sequence[Drawn], one: Drawn) -> list[Curve]:
    return [other.curve for other in ranked if other is not one]


def coverage_table(drawn: Sequence[Drawn]) -> list[Row]:
    """The rows of curves as people read them."""
    return [
        {
            "run": row["run"],
            "judged by": row["verifier"],
            "k": row["k"],
            "coverage": percent(row["coverage"]),
            "95 % interval": interval(row["low"], row["high"]),
            "problems": row["problems_used"],
            "n": f"{row['n_min']:,}" if row["n_min"] == row["n_max"] else f"{row['n_min']:,}–{row['n_max']:,}",
            "undecided": row["undecided"],
        }
        for one in drawn
        for row in one.rows
    ]
