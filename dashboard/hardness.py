"""How hard the problems are: pass rates of the problems, a chart a run, under the coverage curves."""

from __future__ import annotations

import streamlit as st

from dashboard import figure_block, rate_bars
from dashboard.charts.pass_rates import pass_rate_spec
from dashboard.charts.rate_bins import PassRateBin, pass_rate_bins
from dashboard.controls import Controls, choose_for_next_page
from dashboard.figures.drawn import Counting, Drawn
from dashboard.figures.figure import Figure
from dashboard.on_sight import on_sight
from dashboard.problem_filters import ALL, ANY_TAG
from dashboard.scope import REFERENCE, Row
from dashboard.snapshots import Reading
from dashboard.ways import open_page
from dashboard.wording import percent

_GO = "problems are asked for"
#: Heights of a histogram and of the menu below it, pixels.
_HEIGHT, _BUTTON = 240, 40


def section(reading: Reading, controls: Controls, drawn: list[Drawn], counting: Counting) -> None:
    """Pass rates of the problems, a chart a run; made once they are scrolled to."""
    st.header("How hard are the problems?", anchor=False)
    on_sight(controls, "hardness", _HEIGHT + _BUTTON, lambda: _histograms(reading, drawn, counting), len(drawn))


def _histograms(reading: Reading, drawn: list[Drawn], counting: Counting) -> None:
    alone = len(drawn) == 1
    records: list[Row] = []
    sql: list[str] = []
    notes: list[str] = []
    with st.grid(1 if alone else 3, min_column_width=300):
        for one in drawn:
            told = counting.parameters("pass_rates")
            answer = reading.ask("pass_rates", run=one.wanted.name, verifier=one.wanted.verifier, **told)
            _histogram(one, answer.records)
            records += answer.records
            sql.append(answer.sql)
            notes += answer.notes
    if st.session_state.pop(_GO, False):
        open_page("problems")
    most = max((row["n"] for row in records), default=0)
    st.caption(
        "Problems by the share of their samples that are correct, c/n, on log bins; never and always solved ones stand "
        f"apart. Rates under 1/n cannot be seen with n samples (n is up to {most:,}). "
        "A click on a bar opens its problems."
    )
    figure = Figure("pass-rates", "Pass rates", {}, "", records, "\n\n".join(dict.fromkeys(sql)), tuple(notes))
    shown = [
        {
            "run": row["run"],
            "problem": row["problem"],
            "n": row["n"],
            "c": row["c"],
            "pass rate": percent(row["pass_rate"]),
        }
        for row in records
    ]
    figure_block.below(figure, shown, "pass rates")


def _histogram(one: Drawn, records: list[Row]) -> None:
    most = max((row["n"] for row in records), default=0)
    bins = pass_rate_bins(records)
    spec = pass_rate_spec(bins, one.curve.slot, most, title=one.curve.label, height=_HEIGHT)

    def chosen(one_bin: PassRateBin) -> None:
        run = one.wanted
        by = REFERENCE if run.verifier == run.run["reference"] else str(run.verifier)
        kept = {"one run": run.name, "by": by, "show": ALL, "tag": ANY_TAG, "rate": one_bin.name}
        choose_for_next_page(**kept)
        st.session_state[_GO] = True

    with st.container(gap="xsmall"):
        rate_bars.draw(bins, spec, f"hardness {one.curve.label}", chosen)
