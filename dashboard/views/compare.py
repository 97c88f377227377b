"""Compare: does one run solve more problems than another, beyond what chance explains?"""

from __future__ import annotations

import streamlit as st

from dashboard import scope, tables
from dashboard.charts.curves import Curve, curve_from
from dashboard.charts.difference import difference_finding, difference_spec, signed
from dashboard.controls import Controls
from dashboard.frame import behind_chart, no_runs, view
from dashboard.scope import Row, Scope
from dashboard.snapshots import Answer, Reading
from dashboard.wording import NONE, plain, plural
from store.analytics import k_lattice
from store.errors import PassatkError

#: What of two runs' settings is worth telling apart.
_SETTINGS = ("model", "source", "design", "temperature", "samples_per_problem", "n_min", "reference")


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
    others = [name for name in names if name != baseline]
    _difference(reading, controls, chosen, baseline, others)
    _flips(reading, baseline, others)
    _settings(judged)


def _difference(reading: Reading, controls: Controls, chosen: Scope, baseline: str, others: list[str]) -> None:
    ends = {row["n_min"] for row in chosen.runs if row["n_min"]}
    lattice = sorted({*k_lattice(max(ends, default=1)), *ends})
    try:
        answer = reading.ask("coverage_difference", run=[baseline, *others], k=lattice)
    except PassatkError as error:
        st.info(str(error))
        return
    curves = _curves(answer, chosen)
    if not curves:
        st.info(f"No k is within the judged samples of every problem that these runs share with {plain(baseline)}.")
        return
    drawn = sorted({point.k for curve in curves for point in curve.points})
    marker = controls.step("k", drawn, min(100, drawn[-1]), label="Samples per problem, k")
    st.markdown(plain(difference_finding(curves, baseline, marker)))
    st.vega_lite_chart(difference_spec(curves, baseline, marker), key="difference chart", width="stretch")
    st.caption(
        "Coverage of each run less that of the baseline, on the problems both have; above zero the run solves more. "
        f"Band: 95 % interval at each k, paired by problem. {_shared(answer)}"
    )
    tables.table_and_export([_shown(row) for row in answer.records], answer.records, "difference")
    behind_chart(answer.sql, answer.notes)


def _curves(answer: Answer, chosen: Scope) -> list[Curve]:
    names = list(dict.fromkeys(row["run"] for row in answer.records))
    made = [
        curve_from([row for row in answer.records if row["run"] == name], name, chosen.slots[name], value="difference")
        for name in names
    ]
    return [curve for curve in made if curve]


def _shared(answer: Answer) -> str:
    row = min(answer.records, key=lambda row: row["problems"])
    left = (row["only_run"] or 0) + (row["only_baseline"] or 0)
    shared = plural(row["problems"], "shared problem")
    return f"{shared}; {left:,} that only one run has are left out." if left else f"{shared}."


def _shown(row: Row) -> Row:
    known = row["difference"] is not None
    return {
        "run": row["run"],
        "baseline": row["baseline"],
        "k": row["k"],
        "difference, points": signed(row["difference"]) if known else NONE,
        "95 % interval": f"{signed(row['low'])} to {signed(row['high'])}" if known else NONE,
        "band over all k": f"{signed(row['band_low'])} to {signed(row['band_high'])}" if known else NONE,
        "p": row["p"],
        "p, corrected": row["holm_p"],
        "problems": row["problems"],
    }


def _flips(reading: Reading, baseline: str, others: list[str]) -> None:
    st.header("Which problems", anchor=False)
    st.caption(
        "A problem counts as solved by a run when any of its samples is correct, so a run with more samples has more "
        "chances; the chart above compares at equal k."
    )
    solved = {name: _solved(reading, name) for name in (baseline, *others)}
    base, rows = solved[baseline], []
    for name in others:
        both = base.keys() & solved[name].keys()
        mine, theirs = ({one for one in both if counts[one]} for counts in (base, solved[name]))
        rows.append(
            {
                "run": name,
                f"only {name}": _listed(theirs - mine),
                f"only {baseline}": _listed(mine - theirs),
                "both": len(mine & theirs),
                "neither": len(both - mine - theirs),
            }
        )
    for row in rows:
        st.dataframe([row], hide_index=True, alt=f"Problems solved by {row['run']} and {baseline}")


def _solved(reading: Reading, run: str) -> dict[str, int]:
    return {row["problem"]: row["c"] for row in reading.ask("pass_rates", run=run).records if row["n"]}


def _listed(problems: set[str]) -> str:
    shown = sorted(problems)[:5]
    rest = len(problems) - len(shown)
    return f"{len(problems)}" + (f": {', '.join(shown)}" if shown else "") + (f" and {rest} more" if rest else "")


def _settings(rows: list[Row]) -> None:
    differing = [name for name in _SETTINGS if len({row[name] for row in rows}) > 1]
    st.header("What differs", anchor=False)
    if not differing:
        st.caption("Nothing of what is recorded about these runs differs but their samples.")
        return
    st.dataframe(
        [{"run": row["run"], **{name.replace("_", " "): row[name] for name in differing}} for row in rows],
        hide_index=True,
        placeholder=NONE,
        width="content",
        alt="Settings that differ between the runs",
    )
