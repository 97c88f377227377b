"""Samples: what the model wrote, and what each verifier said about it. Completions are hostile text."""

from __future__ import annotations

import streamlit as st

from dashboard import scope, second_verdict
from dashboard.controls import Controls
from dashboard.frame import no_runs, view
from dashboard.sample_list import Filter, choose_filters, choose_outcome, choose_problem, choose_sample
from dashboard.sample_parts import draw_sample
from dashboard.scope import REFERENCE, Row
from dashboard.snapshots import Reading
from dashboard.wording import plain


@view("Samples", "What did the model write, and why was it judged as it was?")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    run, aside = scope.choose_run(controls, rows)
    if not run["samples"]:
        st.info(f"{plain(run['run'])} has no samples yet. Start it with `passatk run start`.")
        return
    judged = scope.verifiers_of(reading, [run["run"]])
    with aside:
        chosen = Filter(run, _judge(controls, run, judged))
    left, right = st.columns(2, vertical_alignment="bottom")
    with right:
        outcome = choose_outcome(controls)
    also = second_verdict.chosen(controls, judged)
    found = second_verdict.counts(reading, run, chosen.verifier, outcome, also)
    with left:
        problem = choose_problem(reading, controls, chosen, found)
    filters = choose_filters(reading, controls, chosen, problem, outcome)
    if also is not None:
        second_verdict.chip(controls, also, found)
        filters |= also.parameters()
    left, right = st.columns([2, 5], gap="medium")
    with left:
        index = choose_sample(reading, controls, chosen, problem, filters)
    if index is not None:
        with right:
            draw_sample(reading, controls, chosen, problem["problem"], index)


def _judge(controls: Controls, run: Row, judged: list[Row]) -> str | None:
    """The verifier whose verdicts are listed; None while nobody has judged the run."""
    if not judged or run["reference"] is None:
        st.info(f"No verifier has judged {plain(run['run'])} yet. Judge it with `passatk verify --run {run['run']}`.")
        return None
    choice = controls.one("by", scope.verifier_options(judged), REFERENCE, st.selectbox, label="Judged by")
    return scope.judged_by(choice, run)
