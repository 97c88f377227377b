"""Compare: does one run solve more problems than another, beyond what chance explains?"""

from __future__ import annotations

import json

import streamlit as st

from dashboard import figure_block, scope
from dashboard.charts.difference import difference_finding
from dashboard.controls import Controls
from dashboard.figures.comparison import (
    difference,
    difference_curves,
    difference_figure,
    difference_table,
    matrix_figure,
    pairs_figure,
    shared,
)
from dashboard.figures.drawn import STANDARD
from dashboard.frame import no_runs, view
from dashboard.on_sight import on_sight, table_height
from dashboard.problem_filters import ANY_RATE
from dashboard.scope import REFERENCE, Row, Scope
from dashboard.snapshots import Reading
from dashboard.ways import open_page
from dashboard.wording import NONE, percent, plain, plural, told
from store.errors import PassatkError

#: Settings in whose difference nobody is interested: they differ between any two runs.
_OWN = ("run", "fingerprint", "created_at", "provenance", "price_from")
#: Height of a button below a table, pixels.
_BUTTON = 56
#: The most that the scatter of pass rates is wide, pixels: it is to be about as wide as it is high.
_SCATTER = 640


@view("Compare", "Does one run solve more problems than another, beyond what chance explains?")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    chosen, aside = scope.choose_runs(controls, rows, beside=True)
    judged = [row for row in chosen.runs if row["judged"]]
    if len(judged) < 2:
        st.info("Choose at least two judged runs of one benchmark to compare.")
        return
    names = [row["run"] for row in judged]
    with aside:
        baseline = controls.one("baseline", names, names[0], st.selectbox, label="Baseline")
    verifier = _verifier(reading, controls, names)
    _difference(reading, controls, chosen, judged, baseline, verifier)
    others = [name for name in names if name != baseline]
    _problems(reading, controls, chosen, baseline, others)
    _settings(reading, controls, names)


def _verifier(reading: Reading, controls: Controls, names: list[str]) -> str | None:
    options = scope.verifier_options(scope.verifiers_of(reading, names))
    if len(options) <= 2:
        return None
    choice = controls.one("judge", options, REFERENCE, st.selectbox, label="Judged by", width=260)
    return scope.verifier_parameter(choice)


def _difference(
    reading: Reading, controls: Controls, chosen: Scope, judged: list[Row], baseline: str, verifier: str | None
) -> None:
    try:
        answer = difference(reading, judged, baseline, verifier, STANDARD)
    except PassatkError as error:
        st.info(told(str(error)))
        return
    curves = difference_curves(answer, chosen.slots)
    if not curves:
        st.info(f"No k is within the judged samples of every problem that these runs share with {plain(baseline)}.")
        return
    drawn = sorted({point.k for curve in curves for point in curve.points})
    marker = controls.step("k", drawn, min(100, drawn[-1]), label="Samples per problem, k")
    st.markdown(plain(f"{difference_finding(curves, baseline, marker)} {shared(answer)}"))
    figure_block.show(difference_figure(answer, curves, baseline, marker), difference_table(answer), "difference")
    if len(judged) > 2:
        st.header(f"Every pair at k = {marker:,}", anchor=False)
        figure = matrix_figure(reading, judged, verifier, STANDARD, marker)
        table = [
            {"run": cell["row"], "less": cell["column"], "points": cell["text"]}
            for cell in figure.records
            if cell["text"]
        ]
        figure_block.show_on_sight(controls, figure, table, "matrix")


def _problems(reading: Reading, controls: Controls, chosen: Scope, baseline: str, others: list[str]) -> None:
    st.header("Problem by problem", anchor=False)
    name = others[0]
    if len(others) > 1:
        name = controls.one("against", others, others[0], st.selectbox, label="Run", width=320)
    figure = pairs_figure(reading, name, baseline, chosen.slots[name])
    table = [
        {"problem": row["problem"], name: percent(row["run_rate"]), baseline: percent(row["baseline_rate"])}
        for row in figure.records
    ]
    figure_block.show_on_sight(controls, figure, table, "pairs", widest=_SCATTER)
    st.caption(
        "Below, a problem counts as solved by a run when any of its samples is correct, so a run with more samples has "
        "more chances; the chart of differences compares at equal k."
    )
    height = len(others) * (table_height(1) + _BUTTON)
    on_sight(controls, "flips", height, lambda: _all_flips(reading, baseline, others))


def _all_flips(reading: Reading, baseline: str, others: list[str]) -> None:
    for one in others:
        _flips(reading, baseline, one)


def _flips(reading: Reading, baseline: str, name: str) -> None:
    base, mine = _solved(reading, baseline), _solved(reading, name)
    both = base.keys() & mine.keys()
    first, second = {one for one in both if mine[one]}, {one for one in both if base[one]}
    row = {
        "run": name,
        f"only {name}": _listed(first - second),
        f"only {baseline}": _listed(second - first),
        "both": len(first & second),
        "neither": len(both - first - second),
    }
    st.dataframe([row], hide_index=True, alt=f"Problems solved by {name} and {baseline}")
    if (first - second or second - first) and st.button(
        f"See the {plural(len(first ^ second), 'problem')} that differ",
        key=f"flips {name}",
        type="tertiary",
        icon=":material/arrow_forward:",
    ):
        open_page("problems", **{"run": [name, baseline], "one run": name, "rate": ANY_RATE})


def _solved(reading: Reading, run: str) -> dict[str, int]:
    return {row["problem"]: row["c"] for row in reading.ask("pass_rates", run=run).records if row["n"]}


def _listed(problems: set[str]) -> str:
    shown = sorted(problems)[:5]
    rest = len(problems) - len(shown)
    return f"{len(problems)}" + (f": {', '.join(shown)}" if shown else "") + (f" and {rest} more" if rest else "")


def _settings(reading: Reading, controls: Controls, names: list[str]) -> None:
    rows = reading.ask("run_settings", run=names).records
    differing = [name for name in rows[0] if name not in _OWN and len({str(row[name]) for row in rows}) > 1]
    st.header("What differs", anchor=False)
    if not differing:
        st.caption("Nothing of what is recorded about these runs differs but their samples.")
        return
    table = [
        {"setting": name.replace("_", " "), **{row["run"]: _text(name, row[name]) for row in rows}}
        for name in differing
    ]
    on_sight(controls, "what differs", table_height(len(table)), lambda: _differing(table))


def _differing(table: list[Row]) -> None:
    st.dataframe(table, hide_index=True, placeholder=NONE, width="content", alt="Settings that differ between the runs")


def _text(name: str, value: object) -> str:
    if name == "tags":
        return ", ".join(json.loads(str(value or "[]"))) or NONE
    return NONE if value is None else str(value)
