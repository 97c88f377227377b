"""Coverage: how many problems fall as more samples are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard import scope, tables
from dashboard.charts.coverage import coverage_spec
from dashboard.charts.curves import Curve, curve_from
from dashboard.charts.palette import DASHES
from dashboard.controls import Controls
from dashboard.frame import behind_chart, no_runs, undecided_chip, view
from dashboard.scope import REFERENCE, Row, Scope
from dashboard.snapshots import Reading
from dashboard.wording import NONE, interval, percent, plain, plural
from store.analytics import k_lattice
from store.errors import PassatkError

_K_HELP = "Moves the dashed rule in the chart and the numbers on the cards."


@dataclass(frozen=True)
class Drawn:
    """One run judged by one verifier: its curve and the rows it was made of."""

    curve: Curve
    rows: tuple[Row, ...]
    sql: str
    notes: tuple[str, ...]


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
    drawn = _draw(reading, chosen, choices)
    if not drawn:
        return
    lattice = _lattice(drawn)
    left, right = st.columns([8, 2], vertical_alignment="bottom")
    with left:
        marker = controls.step("k", lattice, min(100, lattice[-1]), label="Samples per problem, k", help=_K_HELP)
    with right:
        band = controls.flag("band", True, label="95 % interval")
    _cards(drawn, marker)
    _chart(drawn, marker, band)
    _not_drawn(drawn, judged)
    _table(drawn)
    behind_chart("\n\n".join(dict.fromkeys(one.sql for one in drawn)), _notes(drawn))


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


def _draw(reading: Reading, chosen: Scope, choices: list[str]) -> list[Drawn]:
    if not choices:
        st.info("No verifier is chosen. Choose `reference` above.")
    drawn: list[Drawn] = []
    wanted = _pairs(chosen, choices)
    ends = {end for row, _ in wanted for end in (row["n_min"], row["n_max"]) if end}
    # One lattice for all, with each run's own end: a curve must not seem to end before it does.
    lattice = sorted({*k_lattice(max(ends, default=1)), *ends})
    for row, choice in wanted:
        one = _drawn(reading, row, choice, lattice, chosen, choices)
        if one:
            drawn.append(one)
    if choices and not drawn:
        st.info("Nothing to draw: these runs have no verdicts yet. Judge them with `passatk verify --run RUN`.")
    return drawn


def _pairs(chosen: Scope, choices: list[str]) -> list[tuple[Row, str]]:
    """(run, choice) without pairs that mean the same curve twice."""
    seen: dict[tuple[str, str | None], tuple[Row, str]] = {}
    for row in chosen.runs:
        for choice in choices:
            seen.setdefault((row["run"], scope.judged_by(choice, row)), (row, choice))
    return list(seen.values())


def _drawn(
    reading: Reading, row: Row, choice: str, lattice: list[int], chosen: Scope, choices: list[str]
) -> Drawn | None:
    run, verifier = row["run"], scope.judged_by(choice, row)
    if verifier is None:
        st.caption(f"{plain(run)} is not drawn: no verifier has judged it. `passatk verify --run {run}` does.")
        return None
    try:
        answer = reading.ask("coverage", run=run, verifier=verifier, k=lattice)
    except PassatkError as error:
        st.caption(f"{plain(run)} judged by {plain(verifier)} is not drawn: {error}")
        return None
    label = run if len(choices) == 1 else f"{run} · {verifier}"
    curve = curve_from(answer.records, label, chosen.slots[run], choices.index(choice))
    if curve is None:
        st.caption(
            f"{plain(run)} judged by {plain(verifier)} is not drawn: some of its problems have no judged sample."
        )
        return None
    return Drawn(curve, tuple(row for row in answer.records if row["coverage"] is not None), answer.sql, answer.notes)


def _lattice(drawn: list[Drawn]) -> list[int]:
    """The k that the slider offers: all that any curve has."""
    return sorted({point.k for one in drawn for point in one.curve.points})


def _cards(drawn: list[Drawn], marker: int) -> None:
    with st.grid(4, min_column_width=200):
        for one in sorted(drawn, key=lambda one: one.curve.last.value, reverse=True):
            point = one.curve.at(marker)
            st.metric(
                f"{plain(one.curve.label)} at k = {marker:,}",
                percent(point.value) if point else NONE,
                f"95 %: {interval(point.low, point.high)}" if point else f"ends at n = {one.curve.last.k:,}",
                delta_color="off",
                delta_arrow="off",
                border=True,
                help=f"{plural(one.rows[0]['problems'], 'problem')}, judged by {plain(one.rows[0]['verifier'])}.",
            )


def _not_drawn(drawn: list[Drawn], judged: list[Row]) -> None:
    """Point at verifiers whose curves are not on the chart: the gap between two of them is worth seeing."""
    shown = {one.rows[0]["verifier"] for one in drawn}
    others = sorted({row["verifier"] for row in judged} - shown)
    if others:
        st.caption(
            f"Also judged by {plain(', '.join(others))}. Add it under `Judged by`: the gap between two "
            "verifiers of one run is what the looser one lets through."
        )


def _chart(drawn: list[Drawn], marker: int, band: bool) -> None:
    curves = [one.curve for one in drawn]
    undecided_chip(sum(one.rows[0]["undecided"] or 0 for one in drawn))
    st.vega_lite_chart(coverage_spec(curves, marker, band), key="coverage chart", width="stretch")
    problems = sorted({one.rows[0]["problems"] for one in drawn})
    over = plural(problems[0], "problem") if len(problems) == 1 else f"{problems[0]:,} to {problems[-1]:,} problems"
    st.caption(
        f"Expected share of problems with at least one correct sample among k, unbiased, over {over}. "
        "Band: 95 % interval over problems. A curve ends (open circle) at the smallest n of its problems."
    )


def _table(drawn: list[Drawn]) -> None:
    records = [row for one in drawn for row in one.rows]
    shown = [
        {
            "run": row["run"],
            "judged by": row["verifier"],
            "k": row["k"],
            "coverage": percent(row["coverage"]),
            "95 % interval": interval(row["low"], row["high"]),
            "problems": row["problems"],
            "n": row["n_min"] if row["n_min"] == row["n_max"] else f"{row['n_min']}–{row['n_max']}",
            "undecided": row["undecided"],
        }
        for row in records
    ]
    for row in shown:
        row["n"] = str(row["n"])
    tables.table_and_export(shown, records, "coverage")


def _notes(drawn: list[Drawn]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for one in drawn for note in one.notes))
