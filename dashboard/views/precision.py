"""Selection (precision): how often a rule that picks one of k samples picks a correct one."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import scope, tables
from dashboard.charts.curves import Curve, curve_from
from dashboard.charts.palette import INK
from dashboard.charts.selection import selection_finding, selection_spec
from dashboard.controls import Controls
from dashboard.frame import behind_chart, no_runs, view
from dashboard.scope import Row
from dashboard.snapshots import Answer, Reading
from dashboard.wording import NONE, count, interval, percent, plain, points
from store.analytics import k_lattice
from store.errors import PassatkError

_METHODS = {"majority_vote": "Majority vote"}
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
    st.header("Selection accuracy", anchor=False)
    st.caption("Precision in its first meaning: the share of problems whose selected sample is correct.")
    _selection(reading, controls, run, judged, aside)
    st.header("Verifier precision", anchor=False)
    st.caption("Precision in its second meaning: of the samples a verifier accepts, the share the reference accepts.")
    _agreement(reading, run, judged)


def _selection(reading: Reading, controls: Controls, run: Row, judged: list[Row], aside: DeltaGenerator) -> None:
    voters = [row["verifier"] for row in judged if row["has_answers"]]
    if not voters:
        st.info("No verifier of this run takes answers out of completions, so there is nothing to vote on.")
        return
    voter = run["reference"] if run["reference"] in voters else voters[0]
    if len(voters) > 1:
        with aside:
            voter = controls.one("answers", voters, voter, st.selectbox, label="Answers taken by", help=_VOTER_HELP)
    lattice = k_lattice(max(1, run["n_min"] or 1))
    try:
        with st.spinner("Counting the votes over all subsets of the samples"):
            answer = reading.ask("selection", run=run["run"], answers_from=voter, k=lattice)
        ceiling = _ceiling(answer.records, reading.ask("coverage", run=run["run"], k=lattice).records)
    except PassatkError as error:
        st.info(str(error))
        return
    _draw(answer, ceiling, controls, run)


def _ceiling(selected: list[Row], covered: list[Row]) -> Curve | None:
    """Coverage of the voted-on samples, with the interval that coverage of the run has where the two are the same."""
    known = {row["k"]: row for row in covered}
    rows = []
    for row in selected:
        same = known.get(row["k"])
        fits = same is not None and row["coverage"] is not None and same["coverage"] is not None
        bounds = same if same is not None and fits and abs(same["coverage"] - row["coverage"]) < 1e-9 else {}
        rows.append({"k": row["k"], "coverage": row["coverage"], "low": bounds.get("low"), "high": bounds.get("high")})
    return curve_from(rows, "Coverage", INK)


def _draw(answer: Answer, ceiling: Curve | None, controls: Controls, run: Row) -> None:
    methods = _methods(answer.records)
    if ceiling is None or not methods:
        st.info("No k is within the judged samples of every problem, so there is no curve.")
        return
    lattice = [point.k for point in methods[0].points]
    marker = controls.step("k", lattice, min(100, lattice[-1]), label="Samples per problem, k")
    plateau = next((row["plateau"] for row in answer.records if row["plateau"] is not None), None)
    _cards(ceiling, methods, marker, plateau, run["run"])
    st.vega_lite_chart(selection_spec(ceiling, methods, plateau, marker), key="selection chart", width="stretch")
    st.caption(
        f"{selection_finding(ceiling, methods)} Vote: the commonest answer among k, ties broken evenly, exact over "
        "all subsets of the stored samples. Its limit: the share of problems whose commonest answer overall is right. "
        "Bands: 95 % interval over problems."
    )
    tables.table_and_export(_rows(answer.records), answer.records, "selection")
    behind_chart(answer.sql, answer.notes)


def _methods(records: list[Row]) -> list[Curve]:
    names = list(dict.fromkeys(row["method"] for row in records))
    curves = [
        curve_from(
            [row for row in records if row["method"] == name],
            _METHODS.get(name, name),
            INK,
            place + 1,
            value="selection_accuracy",
        )
        for place, name in enumerate(names)
    ]
    return [curve for curve in curves if curve]


def _cards(ceiling: Curve, methods: list[Curve], marker: int, plateau: float | None, run: str) -> None:
    held = ceiling.at(marker)
    with st.grid(4, min_column_width=200):
        st.metric(
            f"{plain(run)}: coverage at k = {marker:,}",
            percent(held.value if held else None),
            "the ceiling",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
        for curve in methods:
            point = curve.at(marker)
            lost = f"{points(held.value - point.value)} points below" if held and point else NONE
            st.metric(
                f"{curve.label} at k = {marker:,}",
                percent(point.value if point else None),
                lost,
                delta_color="off",
                delta_arrow="off",
                border=True,
            )
        if plateau is not None:
            st.metric(
                "Vote with samples without end",
                percent(plateau),
                "from this run's answers",
                delta_color="off",
                delta_arrow="off",
                border=True,
            )


def _rows(records: list[Row]) -> list[Row]:
    return [
        {
            "method": _METHODS.get(row["method"], row["method"]),
            "k": row["k"],
            "selection accuracy": percent(row["selection_accuracy"]),
            "95 % interval": interval(row["low"], row["high"]),
            "coverage": percent(row["coverage"]),
            "harvested": percent(row["selection_accuracy"] / row["coverage"]) if row["coverage"] else NONE,
            "problems": row["problems"],
        }
        for row in records
        if row["selection_accuracy"] is not None
    ]


def _agreement(reading: Reading, run: Row, judged: list[Row]) -> None:
    proxies = [row["verifier"] for row in judged if row["verifier"] != run["reference"]]
    if not proxies:
        st.info("Only the reference verifier has judged this run; add a second verifier to see its precision.")
        return
    for proxy in proxies:
        try:
            answer = reading.ask("verifier_agreement", run=run["run"], verifier=proxy, reference=run["reference"])
        except PassatkError as error:
            st.info(f"{plain(proxy)}: {error}")
            continue
        _confusion(answer, proxy, run["reference"])


def _confusion(answer: Answer, proxy: str, reference: str) -> None:
    row = answer.records[0]
    accepted, right = row["tp"] + row["fp"], row["tp"] + row["fn"]
    with st.grid(4, min_column_width=200):
        st.metric(
            f"Precision of {plain(proxy)}",
            percent(row["precision"]),
            f"{count(row['tp'])} of {count(accepted)} accepted",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
        st.metric(
            f"Recall of {plain(proxy)}",
            percent(row["recall"]),
            f"{count(row['tp'])} of {count(right)} correct",
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
    st.dataframe(
        [
            {
                "samples": f"accepted by {proxy}",
                f"correct by {reference}": row["tp"],
                f"incorrect by {reference}": row["fp"],
            },
            {
                "samples": f"rejected by {proxy}",
                f"correct by {reference}": row["fn"],
                f"incorrect by {reference}": row["tn"],
            },
        ],
        hide_index=True,
        width="content",
        alt=f"Samples by verdict of {proxy} and {reference}",
    )
    st.caption(
        f"Samples that both verifiers decided. {count(row['fp'])} false positives: {plain(proxy)} accepts what "
        f"{plain(reference)} rejects, which is how far its coverage curve lies above the reference's."
    )
    behind_chart(answer.sql, answer.notes)
