"""Coverage: how many problems fall as more samples are drawn."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dashboard import figure_block, hardness, paper_figures, scope
from dashboard.answers import takes
from dashboard.charts.measures import MEASURES, MINUS_LOG, SOLVED
from dashboard.charts.palette import DASHES
from dashboard.charts.quantities import QUANTITIES, SAMPLES
from dashboard.controls import Controls
from dashboard.figures.coverage import CoverageFigure, View, coverage_figure, coverage_table, small_multiples
from dashboard.figures.drawn import BOUNDS, COMPLETE, STRICT, Counting, Drawn, Wanted, coverage_curves
from dashboard.frame import CARD_WIDTH, card_columns, no_runs, undecided_chip, view
from dashboard.scope import REFERENCE, Row, Scope
from dashboard.size_control import model_sizes
from dashboard.snapshots import Reading
from dashboard.wording import NONE, interval, percent, plain, plural, told

_K_HELP = "Moves the dashed rule in the chart and the numbers on the cards."
_POLICIES = {
    STRICT: "End the curve",
    COMPLETE: "Complete cases",
    BOUNDS: "Bounds",
}
_POLICY_HELP = (
    "Problems of a run have different numbers of samples. End the curve at the smallest (strict); go on with the "
    "problems that have enough; or draw what the samples not drawn could make of it at most."
)


@view("Coverage", "How many problems fall when a model may try k times?")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    chosen, aside = scope.choose_runs(controls, rows, beside=True)
    if not chosen.runs:
        st.info("No run is chosen. Choose one or more above.")
        return
    judged = scope.verifiers_of(reading, chosen.names)
    with aside:
        choices = _choose_verifiers(controls, judged)
    looked, small = _view(controls, chosen)
    drawn = _draw(reading, chosen, choices, looked.counting)
    if not drawn:
        return
    lattice = sorted({point.k for one in drawn for point in one.curve.points})
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    with left:
        marker = controls.step("k", lattice, min(100, lattice[-1]), label="Samples per problem, k", help=_K_HELP)
    with right:
        paper_figures.menu(reading, rows, chosen, marker)
    _cards(drawn, marker)
    undecided_chip(sum(one.rows[0]["undecided"] or 0 for one in drawn))
    if small:
        _small_multiples(reading, drawn, looked)
    else:
        _overlay(reading, drawn, _at(looked, marker))
    _not_drawn(drawn, judged)
    hardness.section(reading, controls, drawn, looked.counting)


def _at(looked: View, marker: int) -> View:
    return replace(looked, marker=marker)


def _choose_verifiers(controls: Controls, judged: list[Row]) -> list[str]:
    return controls.many(
        "verifier",
        scope.verifier_options(judged),
        [REFERENCE],
        label="Judged by",
        max_selections=len(DASHES),
        placeholder="Choose a verifier",
        help="`reference` is what each run takes as ground truth. Add another to see how far off its curve is.",
    )


def _view(controls: Controls, chosen: Scope) -> tuple[View, bool]:
    """What the reader wants to see; whether as small multiples."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        layout = controls.segments("view", {"overlay": "Overlay", "small": "Small multiples"}, label="View")
        overlay = layout == "overlay"
        quantity, measure = SAMPLES, SOLVED
        if overlay:
            quantity = QUANTITIES[
                controls.segments("x", {key: q.label for key, q in QUANTITIES.items()}, label="x axis")
            ]
            measure = MEASURES[
                controls.one(
                    "y",
                    list(MEASURES),
                    SOLVED.key,
                    st.selectbox,
                    label="y axis",
                    width=210,
                    format_func=lambda key: MEASURES[key].label,
                )
            ]
        policy = STRICT
        if any(row["n_min"] != row["n_max"] for row in chosen.runs):
            policy = controls.one(
                "policy",
                list(_POLICIES),
                STRICT,
                st.selectbox,
                label="Where n differs",
                width=170,
                help=_POLICY_HELP,
                format_func=_POLICIES.__getitem__,
            )
        band = controls.flag("band", True, label="95 % interval")
        forecast = overlay and controls.flag(
            "forecast", False, label="Forecast", help="Up to ten times the data, dotted. No law is known to hold there."
        )
        zoom = overlay and measure is SOLVED and controls.flag("zoom", False, label="Zoom y")
        quarantined = not takes("coverage", "quarantined") or controls.flag(
            "quarantined", True, label="Quarantined", help="Whether problems that were set aside take part."
        )
    sizes = model_sizes(controls, quantity)
    looked = View(None, band, quantity, measure, zoom, forecast, Counting(policy, quarantined), sizes)
    return looked, not overlay


def _draw(reading: Reading, chosen: Scope, choices: list[str], counting: Counting) -> list[Drawn]:
    if not choices:
        st.info("No verifier is chosen. Choose `reference` above.")
        return []
    drawn, refused = coverage_curves(reading, wanted(chosen, choices), counting)
    for sentence in refused:
        st.caption(told(sentence))
    if not drawn:
        st.info("Nothing to draw: these runs have no verdicts yet. Judge them with `passatk verify --run RUN`.")
    return drawn


def wanted(chosen: Scope, choices: list[str]) -> list[Wanted]:
    """A curve for each run and verifier, without pairs that mean the same curve twice."""
    seen: dict[tuple[str, str | None], Wanted] = {}
    for row in chosen.runs:
        for dash, choice in enumerate(choices):
            verifier = scope.judged_by(choice, row)
            label = row["run"] if len(choices) == 1 else f"{row['run']} · {verifier}"
            seen.setdefault((row["run"], verifier), Wanted(row, verifier, label, chosen.slots[row["run"]], dash))
    return list(seen.values())


def _cards(drawn: list[Drawn], marker: int) -> None:
    with st.grid(card_columns(len(drawn)), min_column_width=CARD_WIDTH):
        for one in sorted(drawn, key=lambda one: one.curve.last.value, reverse=True):
            point = one.curve.at(marker)
            st.metric(
                f"{scope.mark(one.curve.slot)}{plain(one.curve.label)} at k = {marker:,}",
                percent(point.value) if point else NONE,
                f"95 %: {interval(point.low, point.high)}" if point else f"ends at n = {one.curve.last.k:,}",
                delta_color="off",
                delta_arrow="off",
                border=True,
                help=f"{plural(one.rows[0]['problems'], 'problem')}, judged by {plain(one.rows[0]['verifier'])}.",
            )


def _overlay(reading: Reading, drawn: list[Drawn], looked: View) -> None:
    made = coverage_figure(reading, drawn, looked)
    for sentence in made.said:
        st.caption(told(sentence))
    if not made.drawn:
        st.info(f"None of these runs can be drawn against {looked.quantity.label}. Choose another x axis.")
        return
    figure_block.draw(made.figure.spec, "coverage chart")
    st.caption(plain(made.figure.caption))
    _laws(made, looked)
    figure_block.below(made.figure, coverage_table(made.drawn), "coverage")


def _laws(made: CoverageFigure, looked: View) -> None:
    """The track record beside a forecast, and the parameters beside a fit."""
    if made.forecasts:
        rows = [
            {
                "run": one.curve.label,
                "law": one.law.replace("_", " "),
                "forecast to k": f"{one.curve.last.k:,}",
                "beyond the data": f"{one.ratio:.1f}x",
                "coverage": percent(one.curve.last.value),
                "all laws": interval(one.curve.last.low, one.curve.last.high),
                "error when tried": NONE if one.backtest is None else f"{100 * one.backtest:.1f} points",
            }
            for one in made.forecasts
        ]
        st.dataframe(rows, hide_index=True, width="content", alt="Forecasts and how well their laws did before")
        st.caption(
            "Error when tried: a tenth of the stored samples had to foretell the rest; the law that erred least is "
            "drawn. That says how it did inside the data, not beyond."
        )
    if looked.measure is MINUS_LOG and made.fits:
        rows = [
            {
                "run": fit.label,
                "a": f"{fit.a:.3f}",
                "b": f"{fit.b:.3f}",
                "largest error": f"{100 * fit.error:.1f} points",
            }
            for fit in made.fits
        ]
        st.dataframe(rows, hide_index=True, width="content", alt="Power laws fitted to the curves")
        st.caption(
            "Dashed: ln coverage = a k^b, least squares in ln coverage over the stored k. A poor line is no law."
        )


def _small_multiples(reading: Reading, drawn: list[Drawn], looked: View) -> None:
    with st.grid(3, min_column_width=300):
        for figure in small_multiples(drawn, looked.band):
            figure_block.draw(figure.spec, figure.name)
    st.caption(
        "Coverage against samples per problem, k (log scale), each run before the others in grey; axes are shared."
    )
    whole = coverage_figure(reading, drawn, View(band=looked.band)).figure
    figure_block.below(whole, coverage_table(drawn), "coverage")


def _not_drawn(drawn: list[Drawn], judged: list[Row]) -> None:
    """Point at verifiers whose curves are not on the chart: the gap between two of them is worth seeing."""
    shown = {one.rows[0]["verifier"] for one in drawn}
    others = sorted({row["verifier"] for row in judged} - shown)
    if others:
        st.caption(
            f"Also judged by {plain(', '.join(others))}. Add it under `Judged by`: the gap between two "
            "verifiers of one run is what the looser one lets through."
        )
