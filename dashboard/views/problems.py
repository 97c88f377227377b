"""Problems: how hard each one is, and what the samples say about it."""

from __future__ import annotations

import math

import streamlit as st

from dashboard import problem_drawer, rate_bars, scope, tables
from dashboard.answers import Answer
from dashboard.charts.heatmap import MOST_ROWS, by_difficulty, heatmap_spec
from dashboard.charts.pass_rates import pass_rate_finding, pass_rate_spec
from dashboard.charts.rate_bins import NAMES, RateBin, bin_named, pass_rate_bins
from dashboard.controls import Controls
from dashboard.frame import behind_chart, no_runs, undecided_chip, view
from dashboard.problem_filters import ALL, ANY_RATE, ANY_TAG, FILTERS, MEANING, matching, tags_of, tags_used
from dashboard.scope import REFERENCE, Row
from dashboard.snapshots import Reading
from dashboard.wording import NONE, plain, plural

#: (n, c) by problem within run.
Rates = dict[str, dict[str, tuple[int, int]]]

#: The choice that means: no problem is looked into.
_NOBODY = "none"
_HELP = "Whether problems that were set aside take part. `passatk problem quarantine` sets one aside."
_TAG_HELP = "The words that the benchmark files its problems under. `passatk query coverage_by_tag` compares them."
#: Runs side by side in the heatmap.
_MOST_RUNS = 12


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
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        quarantined = "include" if controls.flag("quarantined", True, label="Quarantined", help=_HELP) else "exclude"
        asked = {"run": run["run"], "verifier": scope.judged_by(choice, run)}
        answer = reading.ask("pass_rates", **asked, quarantined=quarantined)
        _set_aside(reading.ask("pass_rates", **asked, quarantined="include"), quarantined)
        undecided_chip(sum(row["undecided"] or 0 for row in answer.records), run["run"])
        rate = _rate(answer, controls)
    if not answer.records:
        st.info("Every problem of this benchmark is quarantined. Turn Quarantined on to see them.")
        return
    _histogram(answer, controls, scope.slots_of([run["run"]], rows)[run["run"]], rate)
    behind_chart("pass rates", answer.sql, answer.notes)
    compared, rates, cut = _compared(reading, rows, run, quarantined)
    several = len(rates) > 1
    st.header("Which runs solve which problems?" if several else "Every problem", anchor=False)
    records, tag = _narrowed(answer, controls, run, rates, rate)
    if records and several:
        _heatmap(controls, compared, rates, [row["problem"] for row in records], len(answer.records), cut)
        st.header("Every problem", anchor=False)
    if records:
        _table(records, controls, tag, rate)
    _look_into(reading, answer, controls, run, choice, rates)


def _set_aside(every: Answer, quarantined: str) -> None:
    """Say how many problems are quarantined, and whether they are in the numbers."""
    count = sum(bool(row["quarantined"]) for row in every.records)
    where = "counted here" if quarantined == "include" else "left out"
    if count:
        st.badge(f"{plural(count, 'quarantined problem')} {where}", icon=":material/block:", color="orange")


def _rate(answer: Answer, controls: Controls) -> str:
    """The name of the range of pass rates whose problems alone are listed, with what takes it away; or ANY_RATE."""
    rate = controls.held("rate", ANY_RATE, lambda name: bin_named(name) is not None, NAMES)
    chosen = bin_named(rate)
    if chosen is not None:
        held = sum(chosen.holds(row["c"] or 0, row["n"] or 0) for row in answer.records)
        label = f"Pass rate: {chosen.label} · {plural(held, 'problem')}"
        controls.chip("rate", ANY_RATE, label, "Press to list every pass rate again.")
    return rate


def _histogram(answer: Answer, controls: Controls, slot: int, rate: str) -> None:
    st.header("How hard are the problems?", anchor=False)
    bins = pass_rate_bins(answer.records)
    most = max((row["n"] or 0 for row in answer.records), default=0)
    finding = pass_rate_finding(bins, most)
    spec = pass_rate_spec(bins, slot, most, chosen=rate)

    def chosen(one: RateBin) -> None:
        controls.choose("rate", ANY_RATE if one.name == rate else one.name)

    # Another key with another range: a chart that keeps its selection would not hear the same bar twice.
    rate_bars.draw(bins, spec, f"pass rate chart {rate}", chosen)
    st.caption(
        f"{finding} A chance well below 1 in n cannot be told from none with n samples. "
        "A click on a bar leaves its problems alone below."
    )


def _compared(reading: Reading, rows: list[Row], run: Row, quarantined: str) -> tuple[Answer, Rates, str]:
    """Every run of the benchmark, each by its own reference verifier: as asked, (n, c), and what was left out."""
    alike = [row for row in rows if row["benchmark"] == run["benchmark"] and row["reference"] is not None]
    alike.sort(key=lambda row: row["run"] != run["run"])  # the run of this page first, then the newest
    shown = [row["run"] for row in alike[:_MOST_RUNS]]
    answer = reading.ask("pass_rates", run=shown, quarantined=quarantined)
    rates: Rates = {name: {} for name in shown}
    for one in answer.records:
        rates[one["run"]][one["problem"]] = (one["n"] or 0, one["c"] or 0)
    cut = f" {len(shown)} of {len(alike)} runs are shown." if len(shown) < len(alike) else ""
    return answer, rates, cut


def _narrowed(answer: Answer, controls: Controls, run: Row, rates: Rates, rate: str) -> tuple[list[Row], str]:
    """The problems the reader asks to see below, and the tag they chose."""
    which = controls.one("show", list(FILTERS), ALL, st.segmented_control, label="Show", required=True, help=MEANING)
    used = tags_used(answer.records)
    tag = ANY_TAG
    if used or controls.link.asked.get("tag"):
        tag = controls.one("tag", [ANY_TAG, *used], ANY_TAG, st.selectbox, label="Tag", help=_TAG_HELP, width=400)
    records = matching(answer.records, which, run["run"], rates, tag, bin_named(rate))
    if not records:
        others = (" or another tag" if tag != ANY_TAG else "") + (" or every pass rate" if rate != ANY_RATE else "")
        st.info(f"No problem matches. Choose `all` above{others}.")
    return records, tag


def _heatmap(controls: Controls, compared: Answer, rates: Rates, kept: list[str], among: int, cut: str) -> None:
    """The problems that were asked for, every run of the benchmark side by side."""
    asked = set(kept)
    order = [name for name in by_difficulty(rates) if name in asked]
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
    st.caption(f"{spec['description']} × never solved; / no judged sample. The hardest are on top.{cut}")
    fewer = [f"The chart shows {len(kept):,} of these {among:,} problems."] if len(kept) < among else []
    behind_chart("problems by runs", compared.sql, fewer)


def _table(records: list[Row], controls: Controls, tag: str, rate: str) -> None:
    records.sort(key=lambda row: (row["pass_rate"] if row["pass_rate"] is not None else -1, row["position"]))
    key = f"problem table {controls.values['show']} {tag} {rate}"

    def look() -> None:
        for place in st.session_state[key]["selection"]["rows"]:
            controls.choose("problem", records[place]["problem"])

    rows = _without_empty_columns([_shown(row) for row in records])
    st.dataframe(
        rows,
        placeholder=NONE,
        hide_index=True,
        key=key,
        on_select=look,
        selection_mode="single-row",
        alt="Table of problems, the hardest first",
        column_config=tables.separated(rows)
        | {
            "problem": st.column_config.TextColumn(pinned=True),
            "pass rate": st.column_config.ProgressColumn("pass rate", format="percent", min_value=0, max_value=1),
        },
    )
    st.caption(f"{plural(len(records), 'problem')}, the hardest first{_under(tag, records)}. Tick one to look into it.")
    tables.download(records, "problems")


def _under(tag: str, records: list[Row]) -> str:
    """How many of the problems with a tag the run solves."""
    if tag == ANY_TAG:
        return ""
    solved, judged = sum(bool(row["c"]) for row in records), sum(bool(row["n"]) for row in records)
    return f", tagged {plain(tag)}: {solved:,} of {judged:,} judged ones solved at least once"


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
        "undecided": row["undecided"] or None,
        "set aside": "quarantined" if row["quarantined"] else None,
        "tags": tags_of(row) or None,
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


def _look_into(reading: Reading, answer: Answer, controls: Controls, run: Row, choice: str, rates: Rates) -> None:
    st.header("One problem", anchor=False)
    rows = {row["problem"]: row for row in answer.records}
    name = controls.one("problem", [_NOBODY, *rows], _NOBODY, st.selectbox, label="Problem", width=400)
    if name in rows:
        problem_drawer.draw(reading, rows[name], run, choice, rates)
