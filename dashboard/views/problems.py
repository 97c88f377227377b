"""Problems: how hard each one is, and what the samples say about it."""

from __future__ import annotations

import math

import streamlit as st

from dashboard import scope, tables
from dashboard.answers import Answer
from dashboard.charts.heatmap import MOST_ROWS, by_difficulty, heatmap_spec
from dashboard.charts.pass_rates import pass_rate_bins, pass_rate_finding, pass_rate_spec
from dashboard.controls import Controls, choose_for_next_page
from dashboard.frame import behind_chart, no_runs, undecided_chip, view
from dashboard.scope import REFERENCE, Row
from dashboard.snapshots import Reading
from dashboard.wording import NONE, percent, plain, plural

#: The choice that means: no problem is looked into.
_NOBODY = "none"
#: Runs side by side in the heatmap.
_MOST_RUNS = 12
_FILTERS = ("all", "never solved", "sometimes", "always solved", "majority wrong", "undecided")


@view("Problems", "Which problems fall easily, which hardly, and which never?")
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
    with aside:
        choice = controls.one("by", scope.verifier_options(judged), REFERENCE, st.selectbox, label="Judged by")
    answer = reading.ask("pass_rates", run=run["run"], verifier=scope.judged_by(choice, run))
    undecided_chip(sum(row["undecided"] or 0 for row in answer.records))
    _histogram(answer, scope.slots_of([run["run"]], rows)[run["run"]])
    _heatmap(reading, controls, rows, run)
    _table(answer, controls)
    _look_into(reading, answer, controls, run, choice)
    behind_chart(answer.sql, answer.notes)


def _histogram(answer: Answer, slot: int) -> None:
    st.header("How hard are the problems?", anchor=False)
    bins = pass_rate_bins(answer.records)
    most = max((row["n"] or 0 for row in answer.records), default=0)
    finding = pass_rate_finding(bins, most)
    st.vega_lite_chart(pass_rate_spec(bins, slot, most), key="pass rate chart", width="stretch")
    st.caption(f"{finding} A chance well below 1 in n cannot be told from none with n samples.")


def _heatmap(reading: Reading, controls: Controls, rows: list[Row], run: Row) -> None:
    """Every run of the benchmark side by side, each by its own reference verifier."""
    alike = [row for row in rows if row["benchmark"] == run["benchmark"] and row["reference"] is not None]
    if len(alike) < 2:
        return
    st.header("Which runs solve which problems?", anchor=False)
    alike.sort(key=lambda row: row["run"] != run["run"])  # the run of this page first, then the newest
    shown = alike[:_MOST_RUNS]
    answer = reading.ask("pass_rates", run=[row["run"] for row in shown])
    rates: dict[str, dict[str, tuple[int, int]]] = {row["run"]: {} for row in shown}
    for one in answer.records:
        rates[one["run"]][one["problem"]] = (one["n"] or 0, one["c"] or 0)
    order = by_difficulty(rates)
    pages = -(-len(order) // MOST_ROWS)
    number = 1
    if pages > 1:
        number = controls.whole(
            "rows", 1, pages, 1, st.pagination, first="default", num_pages=pages, max_visible_pages=5
        )
    drawn = order[(number - 1) * MOST_ROWS : number * MOST_ROWS]
    spec = heatmap_spec(rates, drawn)
    with st.container(height=420 if len(drawn) > 20 else "content", border=False):
        st.vega_lite_chart(spec, key="problems by runs", width="stretch")
    cut = f" {len(shown)} of {len(alike)} runs are shown." if len(shown) < len(alike) else ""
    st.caption(f"{spec['description']} × never solved; / no judged sample. The hardest are on top.{cut}")
    behind_chart(answer.sql)


def _table(answer: Answer, controls: Controls) -> None:
    st.header("Every problem", anchor=False)
    which = controls.one(
        "show", _FILTERS, "all", st.segmented_control, label="Show", required=True, label_visibility="collapsed"
    )
    records = [row for row in answer.records if _matches(row, which)]
    if not records:
        st.info("No problem matches. Choose `all` above.")
        return
    records.sort(key=lambda row: (row["pass_rate"] if row["pass_rate"] is not None else -1, row["position"]))
    key = f"problem table {which}"

    def look() -> None:
        for place in st.session_state[key]["selection"]["rows"]:
            controls.choose("problem", records[place]["problem"])

    st.dataframe(
        _without_empty_columns([_shown(row) for row in records]),
        placeholder=NONE,
        hide_index=True,
        key=key,
        on_select=look,
        selection_mode="single-row",
        alt="Table of problems, the hardest first",
        column_config={
            "problem": st.column_config.TextColumn(pinned=True),
            "pass rate": st.column_config.ProgressColumn("pass rate", format="percent", min_value=0, max_value=1),
        },
    )
    st.caption(f"{plural(len(records), 'problem')}, the hardest first. Tick one to look into it.")
    tables.download(records, "problems")


def _matches(row: Row, which: str) -> bool:
    n, c = row["n"] or 0, row["c"] or 0
    return {
        "all": True,
        "never solved": n > 0 and c == 0,
        "sometimes": 0 < c < n,
        "always solved": n > 0 and c == n,
        "majority wrong": row["majority_correct"] is False and c > 0,
        "undecided": bool(row["undecided"]),
    }[which]


def _shown(row: Row) -> Row:
    return {
        "problem": row["problem"],
        "n": row["n"],
        "c": row["c"],
        "pass rate": row["pass_rate"],
        "k for 50 %": even_chance(row["n"], row["c"]),
        "distinct answers": row["distinct_answers"],
        "majority right": {True: "yes", False: "no"}.get(row["majority_correct"], NONE),
        "median tokens": row["median_completion_tokens"],
        "undecided": row["undecided"],
    }


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    """Rows without the columns that say nothing in any of them."""
    kept = [name for name in rows[0] if any(row[name] not in (None, NONE) for row in rows)]
    return [{name: row[name] for name in kept} for row in rows]


def even_chance(n: int | None, c: int | None) -> str:
    """The smallest k <= n whose pass@k is at least one half, from the exact ratio of falling factorials."""
    if not n or c is None:
        return NONE
    if c == 0:
        return f"> {n:,}"
    failing = 1.0
    for k in range(1, n + 1):
        failing *= max(0, n - c - k + 1) / (n - k + 1)
        if failing <= 0.5 or math.isclose(failing, 0.5):
            return f"{k:,}"
    return f"> {n:,}"


def _look_into(reading: Reading, answer: Answer, controls: Controls, run: Row, choice: str) -> None:
    st.header("One problem", anchor=False)
    rows = {row["problem"]: row for row in answer.records}
    name = controls.one("problem", [_NOBODY, *rows], _NOBODY, st.selectbox, label="Problem", width=400)
    if name in rows:
        _detail(reading, rows[name], run, choice)


def _detail(reading: Reading, row: Row, run: Row, choice: str) -> None:
    verifier = scope.judged_by(choice, run)
    left, right = st.columns([3, 2])
    with left:
        clusters = reading.ask("answer_clusters", run=run["run"], problem=row["problem"], verifier=verifier).records
        st.caption("Answers, the commonest first" if clusters else "This verifier takes no answers out of completions.")
        if clusters:
            st.dataframe(
                [
                    {
                        "answer": str(one["answer"]) if one["answer"] is not None else "no answer",
                        "share": one["share"],
                        "correct": f"{one['correct']:,} of {one['count']:,}",
                    }
                    for one in clusters[:10]
                ],
                hide_index=True,
                alt="Commonest answers",
                column_config={"share": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)},
            )
        if len(clusters) > 10:
            st.caption(f"10 of {len(clusters):,} distinct answers are shown.")
    with right:
        st.metric(
            "Correct samples",
            f"{row['c']} of {row['n']}",
            percent(row["pass_rate"]),
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
        if row["reference_answer"]:
            with st.popover("Show the reference answer"):
                st.code(row["reference_answer"], language=None, wrap_lines=True)
        for label, outcome in (("Correct samples", "correct"), ("Incorrect samples", "incorrect")):
            if st.button(label, key=f"open {outcome}", icon=":material/arrow_forward:"):
                _open_samples(run, row, choice, outcome)


def _open_samples(run: Row, row: Row, choice: str, outcome: str) -> None:
    choose_for_next_page(**{"one run": run["run"], "problem": row["problem"], "by": choice, "outcome": outcome})
    from dashboard.navigation import pages

    st.switch_page(pages()["samples"])
