"""Cost: what a share of solved problems costs."""

from __future__ import annotations

import streamlit as st

from dashboard import scope, tables
from dashboard.charts.cost import cost_spec
from dashboard.charts.curves import curve_from
from dashboard.controls import Controls
from dashboard.frame import behind_chart, no_runs, view
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.views.coverage import Drawn
from dashboard.wording import NONE, count, dollars, percent, percent_with, plain
from store.analytics import k_lattice
from store.errors import PassatkError


@view("Cost", "What does a solved problem cost, and which run gets there cheapest?")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    chosen, _ = scope.choose_runs(controls, rows)
    if not chosen.runs:
        st.info("No run is chosen. Choose one or more above.")
        return
    found = [_drawn(reading, row, chosen.slots[row["run"]]) for row in chosen.runs]
    drawn = [one for one in found if isinstance(one, Drawn)]
    for reason in (one for one in found if isinstance(one, str)):
        (st.caption if drawn else st.info)(reason)
    if not drawn:
        return
    lattice = sorted({point.k for one in drawn for point in one.curve.points})
    marker = controls.step("k", lattice, min(100, lattice[-1]), label="Samples per problem, k")
    _cards(drawn, marker)
    curves = [one.curve for one in drawn]
    st.vega_lite_chart(cost_spec(curves, marker), key="cost chart", width="stretch")
    st.caption(
        "Cost of k samples for one problem at the run's price, against the share of problems they solve. Verifying is "
        "not priced. Band: 95 % interval over problems."
        + (" The thin step is the cheapest way to each share." if len(drawn) > 1 else "")
    )
    _cheapest(drawn, controls)
    records = [row for one in drawn for row in one.rows]
    tables.table_and_export([_shown(row) for row in records], records, "cost")
    behind_chart("\n\n".join(one.sql for one in drawn), tuple(note for one in drawn for note in one.notes))


def _drawn(reading: Reading, row: Row, slot: int) -> Drawn | str:
    """A run's cost curve, or why there is none."""
    run = row["run"]
    if not row["n_min"] or row["reference"] is None:
        return f"{plain(run)} is not drawn: no verifier has judged it. `passatk verify --run {run}` does."
    try:
        answer = reading.ask("cost", run=run, k=k_lattice(row["n_min"]))
    except PassatkError as error:
        return f"{plain(run)} is not drawn. {error}"
    # The interval of the chart is that of the solved share, which the coverage of the same k has.
    shares = {one["k"]: one for one in reading.ask("coverage", run=run, k=k_lattice(row["n_min"])).records}
    points = [
        cost | {"low": shares[cost["k"]]["low"], "high": shares[cost["k"]]["high"]}
        for cost in answer.records
        if cost["k"] in shares
    ]
    curve = curve_from(points, run, slot, x="usd_per_problem")
    if curve is None:
        return f"{plain(run)} is not drawn: its cost is zero or unknown at every k."
    return Drawn(curve, tuple(one for one in answer.records if one["coverage"] is not None), answer.sql, answer.notes)


def _cards(drawn: list[Drawn], marker: int) -> None:
    with st.grid(3, min_column_width=240):
        for one in drawn:
            row = next((row for row in one.rows if row["k"] == marker), None)
            if row is None:
                value, below = NONE, f"ends at n = {one.curve.last.k:,}"
            elif row["usd_per_solved"] is None:
                value, below = NONE, f"nothing solved for {dollars(row['usd_per_problem'])} a problem"
            else:
                value = dollars(row["usd_per_solved"])
                below = f"{dollars(row['usd_per_problem'])} a problem, {percent(row['coverage'])} solved"
            st.metric(
                f"{plain(one.curve.label)}: US\\$ per solved, k = {marker:,}",
                value,
                below,
                delta_color="off",
                delta_arrow="off",
                border=True,
                help=_card_help(row),
            )


def _card_help(row: Row | None) -> str:
    if row is None:
        return "This run has fewer samples than that."
    until = dollars(row["usd_until_solved"])
    return (
        f"95 % interval {dollars(row['low'])} to {dollars(row['high'])}. Stopping at the first verified success within "
        f"{row['k']:,} tries costs {until} a problem on average. Price from {row['price_from']}."
    )


def _cheapest(drawn: list[Drawn], controls: Controls) -> None:
    st.header("Cheapest way to a share", anchor=False)
    target = controls.whole(
        "target",
        1,
        100,
        50,
        st.slider,
        first="value",
        label="Problems to solve, %",
        min_value=1,
        max_value=100,
        width=320,
    )
    st.dataframe(_ways(drawn, target / 100), hide_index=True, width="content", alt="Cheapest k of each run")


def _ways(drawn: list[Drawn], target: float) -> list[Row]:
    """For each run the smallest k that reaches the share, the cheapest first, then those that never do."""
    reached, short = [], []
    for one in drawn:
        enough = next((row for row in one.rows if row["coverage"] >= target), None)
        last = one.rows[-1]
        if enough is None:
            short.append((one, last))
        else:
            reached.append((one, enough))
    reached.sort(key=lambda pair: pair[1]["usd_per_problem"])
    rows = [
        {
            "run": one.curve.label,
            "k": count(row["k"]),
            "US$ per problem": dollars(row["usd_per_problem"]),
            "US$ per solved": dollars(row["usd_per_solved"]),
        }
        for one, row in reached
    ]
    said = [f"not reached: {percent(last['coverage'])} at n = {last['k']:,}" for _, last in short]
    return rows + [
        {"run": one.curve.label, "k": text, "US$ per problem": NONE, "US$ per solved": NONE}
        for (one, _), text in zip(short, said, strict=True)
    ]


def _shown(row: Row) -> Row:
    return {
        "run": row["run"],
        "k": row["k"],
        "US$ per problem": dollars(row["usd_per_problem"]),
        "US$ in all": dollars(row["usd_total"]),
        "solved": percent_with(row["coverage"], None, None),
        "US$ per solved": dollars(row["usd_per_solved"]),
        "US$ until solved": dollars(row["usd_until_solved"]),
        "tries until solved": f"{row['expected_attempts']:.1f}" if row["expected_attempts"] is not None else NONE,
        "prompt tokens": count(row["prompt_tokens"]),
        "completion tokens": count(row["completion_tokens"]),
        "price from": str(row["price_from"]),
    }
