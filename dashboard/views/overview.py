"""Overview: every run with how far it is, what it reaches and what it has cost."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import streamlit as st

from dashboard import run_drawer, scope, tables, under_way
from dashboard.answers import Answer
from dashboard.controls import Controls
from dashboard.frame import no_runs, view
from dashboard.progress import COMPLETE, RUNNING, STALLED, STATES, Progress, left, progress
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.ways import open_page
from dashboard.wording import NONE, ago, count, dollars, interval, percent, plural, short_count, short_number
from store.analytics import k_lattice
from store.errors import PassatkError

#: The k at which runs stand side by side.
_AT = 100
_SPARK_POINTS = 12
_ANY = "all"


@view("Overview", "What has been sampled and judged, and what it reached.")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    paces = {row["run"]: row for row in reading.ask("run_progress").records}
    far = {row["run"]: progress(row, paces.get(row["run"]), reading.taken_at) for row in rows}
    _tiles(reading, rows, far)
    tags = _tags(reading)
    shown = _filtered(rows, far, tags, controls)
    if not shown:
        st.info("No run matches.")
        if st.button("Clear filters", on_click=_clear):
            st.rerun()
        return
    _table(reading, shown, far, tags)
    exported = [
        {key: value for key, value in row.items() if key != "run_id"} | {"status": far[row["run"]].state}
        for row in shown
    ]
    tables.download(exported, "runs")
    under_way.strip()


def _tiles(reading: Reading, rows: list[Row], far: dict[str, Progress]) -> None:
    states = [one.state for one in far.values()]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if running := states.count(RUNNING):
            st.badge(f"{running} {RUNNING}", icon=":material/play_circle:", color="blue")
        if complete := states.count(COMPLETE):
            st.badge(f"{complete} {COMPLETE}", icon=":material/check_circle:", color="green")
        if stalled := states.count(STALLED):
            st.badge(f"{stalled} {STALLED}", icon=":material/error:", color="red")
        others = len(states) - running - complete - stalled
        if others:
            st.badge(f"{others} other", icon=":material/pending:", color="gray")
    spent = [row["spent_usd"] for row in rows if row["spent_usd"] is not None]
    unpriced = sum(row["spent_usd"] is None for row in rows)
    hours = _last_day(reading)
    solved, problems = _solved(rows)
    with st.grid(4, min_column_width=190):
        st.metric(
            "Samples judged in 24 h",
            short_count(sum(hours)),
            f"{short_count(sum((row['judged'] or 0) + (row['undecided'] or 0) for row in rows))} in all",
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            chart_data=hours if sum(one > 0 for one in hours) > 1 else None,
            chart_type="bar",
        )
        st.metric(
            "Problems solved",
            f"{solved:,} of {problems:,}",
            "by the best run of each benchmark",
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help="By any of its samples: of each benchmark, the run that solved most counts.",
        )
        st.metric(
            "Spent on sampling",
            dollars(sum(spent)) if spent else "no price",
            plural(len(spent), "run") + " with a price",
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help="At the price of the snapshot's day."
            + (f" {plural(unpriced, 'run has', 'runs have')} no price and is not in it." if unpriced else ""),
        )
        st.metric(
            "Runs",
            count(len(rows)),
            plural(len({row["benchmark"] for row in rows}), "benchmark"),
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
        )


def _last_day(reading: Reading) -> list[int]:
    """Samples judged in each of the 24 hours up to the snapshot."""
    found = {row["hour_start"]: row["judged"] for row in reading.ask("judged_by_hour").records}
    last = reading.taken_at.replace(minute=0, second=0, microsecond=0)
    return [int(found.get(last - timedelta(hours=back), 0)) for back in range(23, -1, -1)]


def _solved(rows: list[Row]) -> tuple[int, int]:
    """For each benchmark the problems solved by the run that solved most, and the problems there are."""
    most: dict[str, int] = {}
    problems: dict[str, int] = {}
    for row in rows:
        problems[row["benchmark"]] = row["problems"] or 0
        reached = round((row["coverage_at_n"] or 0.0) * (row["problems"] or 0))
        most[row["benchmark"]] = max(most.get(row["benchmark"], 0), reached)
    return sum(most.values()), sum(problems.values())


def _clear() -> None:
    for name, value in (("status", _ANY), ("on", _ANY), ("model", _ANY), ("tag", _ANY)):
        Controls.choose(name, value)
    st.session_state["search runs"] = ""


def _tags(reading: Reading) -> dict[str, list[str]]:
    """The words each run is filed under."""
    return {row["run"]: json.loads(row["tags"] or "[]") for row in reading.ask("run_settings").records}


def _filtered(rows: list[Row], far: dict[str, Progress], tags: dict[str, list[str]], controls: Controls) -> list[Row]:
    words_used = sorted({word for row in rows for word in tags[row["run"]]})
    there = [state for state in STATES if any(one.state == state for one in far.values())]
    choices = {
        "status": ("Status", there),
        "on": ("Benchmark", sorted({row["benchmark"] for row in rows})),
        "model": ("Model", sorted({row["model"] for row in rows})),
    } | ({"tag": ("Tag", words_used)} if words_used else {})
    first, *others = st.columns([4, *(3 for _ in choices)], gap="small", vertical_alignment="bottom")
    words = first.text_input("Search", placeholder="Part of a run's name", key="search runs")
    chosen = {}
    for place, (name, (label, options)) in zip(others, choices.items(), strict=True):
        with place:
            chosen[name] = controls.one(name, [_ANY, *options], _ANY, st.selectbox, label=label)
    return [
        row
        for row in rows
        if words.lower() in row["run"].lower()
        and chosen["status"] in (_ANY, far[row["run"]].state)
        and chosen["on"] in (_ANY, row["benchmark"])
        and chosen["model"] in (_ANY, row["model"])
        and chosen.get("tag", _ANY) in (_ANY, *tags[row["run"]])
    ]


def _table(reading: Reading, rows: list[Row], far: dict[str, Progress], tags: dict[str, list[str]]) -> None:
    curves = _curves(reading, rows)
    shown = [_plain(row, far[row["run"]], curves.get(row["run"], []), reading) for row in rows]
    if any(tags[row["run"]] for row in rows):
        shown = [line | {"tags": tags[row["run"]]} for line, row in zip(shown, rows, strict=True)]
    live = any(far[row["run"]].state == RUNNING for row in rows)
    picked = st.dataframe(
        shown,
        column_order=[name for name in shown[0] if live or name not in ("/s", "ETA")],
        hide_index=True,
        key="run table",
        on_select="rerun",
        selection_mode="multi-row",
        alt="Table of runs",
        row_height=38,
        column_config={
            "run": st.column_config.TextColumn(pinned=True),
            "judged": st.column_config.ProgressColumn(
                "judged", format="percent", min_value=0, max_value=1, width=110, help="Judged samples of those wanted."
            ),
            "/s": st.column_config.TextColumn(help="Samples judged a second, while the run is under way.", width=60),
            "ETA": st.column_config.TextColumn(help="Time left at that rate.", width=80),
            "pass@1 (95 %)": st.column_config.TextColumn(
                help="Coverage at k = 1 with its 95 % interval over problems."
            ),
            "coverage by k": st.column_config.LineChartColumn(
                y_min=0, y_max=1, width=120, help="Coverage over log k, from 1 to n; the scale is 0 to 100 %."
            ),
            f"at k = {_AT}": st.column_config.TextColumn(help="Empty where a problem has fewer samples."),
            "last": st.column_config.TextColumn(help="When anything of it was last written, before the snapshot."),
        },
    )
    names = [rows[index]["run"] for index in picked["selection"]["rows"]]
    _actions(reading, rows, names)


def _actions(reading: Reading, rows: list[Row], names: list[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button("Details", disabled=len(names) != 1, icon=":material/info:", help="Of one run"):
            row = next(row for row in rows if row["run"] == names[0])
            run_drawer.show(reading, row)
        for label, path, fewest in (("Coverage", "coverage", 1), ("Compare", "compare", 2), ("Cost", "cost", 1)):
            if st.button(label, disabled=len(names) < fewest, key=f"open {path}", icon=":material/arrow_forward:"):
                _open(path, rows, names)
        text = ", ".join(names) if names else "Tick runs at the left of the table to open them together."
        st.caption(text, width="content")


def _open(path: str, rows: list[Row], names: list[str]) -> None:
    benchmark = next(row["benchmark"] for row in rows if row["run"] == names[0])
    together = [row["run"] for row in rows if row["run"] in names and row["benchmark"] == benchmark]
    open_page(path, **{"run": together[:7], "one run": together[0], "benchmark": benchmark})


def _curves(reading: Reading, rows: list[Row]) -> dict[str, list[Row]]:
    """Coverage of every run at a few k, asked once for all runs that the same question fits."""
    judged = [row for row in rows if row["judged"] and row["n_min"] and row["design"] in ("fixed_n", "unknown")]
    if not judged:
        return {}
    lattice = k_lattice(max(row["n_min"] for row in judged))
    sparks = {*lattice[:: max(1, len(lattice) // _SPARK_POINTS)]}
    ends = {row["run"]: row["n_min"] for row in judged}
    answer = _asked(reading, [*ends], sorted({*sparks, *ends.values(), 1, _AT}))
    found: dict[str, list[Row]] = {}
    for row in answer.records if answer else []:
        if row["coverage"] is not None:
            spark = row["k"] in sparks or row["k"] == ends[row["run"]]
            found.setdefault(row["run"], []).append(row | {"spark": spark})
    return found


def _asked(reading: Reading, runs: list[str], ks: list[int]) -> Answer | None:
    try:
        return reading.ask("coverage", run=runs, k=ks)
    except PassatkError:
        return None  # a run that one estimator does not fit: its row still says how far it is


def _plain(row: Row, far: Progress, curve: list[Row], reading: Reading) -> dict[str, Any]:
    at = {one["k"]: one for one in curve}
    one, hundred = at.get(1), at.get(_AT)
    first = (
        percent(row["pass_at_1"])
        if one is None
        else f"{percent(one['coverage'])} ({interval(one['low'], one['high'])})"
    )
    decided = (row["judged"] or 0) + (row["undecided"] or 0)
    return {
        "run": row["run"],
        "status": far.state,
        "judged": far.share,
        "of": f"{short_number(far.done)} / {short_number(far.wanted)}",
        "/s": NONE if far.per_second is None else short_number(far.per_second),
        "ETA": left(far),
        "pass@1 (95 %)": first if row["judged"] else NONE,
        "coverage by k": [point["coverage"] for point in curve if point["spark"]],
        f"at k = {_AT}": percent(hundred["coverage"]) if hundred else NONE,
        "spent": dollars(row["spent_usd"]) if row["spent_usd"] is not None else "no price",
        "undecided": percent((row["undecided"] or 0) / decided) if decided else NONE,
        "last": ago(row["last_written_at"], reading.taken_at) if row["last_written_at"] else NONE,
        "at n": f"{percent(row['coverage_at_n'])} (n = {row['n_min']:,})" if row["n_min"] else NONE,
        "benchmark": row["benchmark"],
        "model": row["model"],
        "judged by": row["reference"] or "not judged",
    }
