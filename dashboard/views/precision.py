"""Precision: how often a rule that picks one of k samples is right, and how far a verifier can be trusted."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import agreement, figure_block, scope
from dashboard.charts.curves import Curve
from dashboard.controls import Controls
from dashboard.figures.selection import Selection, selection, selection_figure, selection_table
from dashboard.frame import CARD_WIDTH, card_columns, no_runs, undecided_chip, view
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.wording import NONE, percent, plain, points, told
from store.analytics import k_lattice
from store.errors import PassatkError

_VOTER_HELP = "Its normalised answers are voted on; the reference says which answer is right."


@view("Precision", "Having drawn k samples, how often is the one picked correct?")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    run, aside = scope.choose_run(controls, rows)
    judged = scope.verifiers_of(reading, [run["run"]])
    if not judged or run["reference"] is None:
        st.info(f"No verifier has judged {plain(run['run'])} yet. Judge it with `passatk verify --run {run['run']}`.")
        return
    undecided_chip(run["undecided"] or 0, run["run"])
    st.header("Selection accuracy", anchor=False)
    st.caption("Precision in its first meaning: the share of problems whose selected sample is correct.")
    _selection(reading, controls, run, judged, aside)
    st.header("Verifier precision", anchor=False)
    st.caption("Precision in its second meaning: of the samples a verifier accepts, the share the reference accepts.")
    agreement.section(reading, controls, run, judged)


def _selection(reading: Reading, controls: Controls, run: Row, judged: list[Row], aside: DeltaGenerator) -> None:
    voters = [row["verifier"] for row in judged if row["has_answers"]]
    voter = run["reference"] if run["reference"] in voters else voters[0] if voters else None
    if len(voters) > 1:
        with aside:
            voter = controls.one("answers", voters, str(voter), st.selectbox, label="Answers from", help=_VOTER_HELP)
    lattice = k_lattice(max(1, run["n_min"] or 1))
    try:
        with st.spinner("Counting over all subsets of the samples"):
            found = selection(reading, run["run"], judged, voter, lattice)
    except PassatkError as error:
        st.info(told(str(error)))
        return
    for sentence in found.said:
        st.caption(told(sentence))
    if found.ceiling is None or not found.picked:
        st.info(
            "Nothing picks a sample of this run: no verifier takes answers out of completions to vote on, and none "
            "gives scores."
            if not found.said
            else "No k is within the judged samples of every problem, so there is no curve."
        )
        return
    _draw(found, found.ceiling, controls, run)


def _draw(found: Selection, ceiling: Curve, controls: Controls, run: Row) -> None:
    lattice = sorted({point.k for curve in found.methods for point in curve.points})
    marker = controls.step("k", lattice, min(100, lattice[-1]), label="Samples per problem, k")
    _cards(ceiling, found, marker, run["run"])
    figure_block.show(selection_figure(found, ceiling, marker), selection_table(found), "selection")


def _cards(ceiling: Curve, found: Selection, marker: int, run: str) -> None:
    held = ceiling.at(marker)
    cards = 1 + len(found.methods) + (found.plateau is not None)
    with st.grid(card_columns(cards), min_column_width=CARD_WIDTH):
        _card(f"Coverage at k = {marker:,}", percent(held.value if held else None), f"{plain(run)}, the ceiling")
        for curve in found.methods:
            point = curve.at(marker)
            lost = f"{points(held.value - point.value)} points below" if held and point else NONE
            _card(f"{plain(curve.label)} at k = {marker:,}", percent(point.value if point else None), lost)
        if found.plateau is not None:
            _card("Vote without end", percent(found.plateau), "the vote's limit, from this run's answers")


def _card(label: str, value: str, below: str) -> None:
    st.metric(label, value, below, delta_color="off", delta_arrow="off", border=True)
