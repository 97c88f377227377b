"""Data health: what is incomplete or odd about the data behind the curves."""

from __future__ import annotations

import streamlit as st

from dashboard import figure_block, live, scope
from dashboard.charts.strip import strip_spec
from dashboard.checks import CHECKS, Check
from dashboard.controls import Controls
from dashboard.frame import behind_chart, no_runs, view
from dashboard.freshness import held, live_is_on
from dashboard.row_checks import ROW_CHECKS, RowCheck
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.tables import separated
from dashboard.wording import plural, told
from store.analytics import Snapshot
from store.analytics.literals import quoted

#: Rows of a check shown on the page.
_MOST = 100
#: Runs in the strip chart.
_MOST_RUNS = 30


@view("Data health", "What is incomplete or odd about the data behind the curves?")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    every = "all runs"
    names = [row["run"] for row in rows]
    chosen = controls.one("of", [every, *names], every, st.selectbox, label="Run", width=400)
    asked = [row for row in rows if chosen in (every, row["run"])]
    st.caption(f"{plural(len(CHECKS), 'check')} over {plural(len(asked), 'run')} of this snapshot.")
    one = None if chosen == every else chosen
    summary = reading.ask("run_summary").sql
    for check in CHECKS:
        _shown(check, asked, check.sql(summary, one))
    _strip(reading, asked, rows)
    _against_the_store(reading)
    st.header("Row by row", anchor=False)
    # These read every sample and verdict: seconds on a large store, so they wait until they are asked for.
    if st.toggle("Look through every row", key="look through rows"):
        for looked in ROW_CHECKS:
            _looked_through(reading, looked, one)


def _strip(reading: Reading, asked: list[Row], rows: list[Row]) -> None:
    """Samples of every problem, drawn and judged, against the target."""
    names = [row["run"] for row in asked if row["samples"]][:_MOST_RUNS]
    if not names:
        return
    st.header("Samples of each problem", anchor=False)
    listed = ", ".join(map(quoted, names))
    text = (
        "SELECT run, counted, samples, count(*) AS problems, max(samples_per_problem) AS target\n"  # noqa: S608
        "FROM (\n    SELECT run_id, 'drawn' AS counted, samples FROM sample_counts\n    UNION ALL\n"
        "    SELECT p.run_id, 'judged' AS counted, p.n AS samples FROM problem_counts AS p\n"
        "    JOIN runs AS r ON r.run_id = p.run_id AND r.reference_verifier_id = p.verifier_id\n"
        f") AS counts JOIN runs USING (run_id)\nWHERE run IN ({listed})\n"
        "GROUP BY run, counted, samples\nORDER BY run, counted, samples"
    )
    spec = strip_spec(_rows(reading.id, text, reading.snapshot), scope.slots_of(names, rows))
    figure_block.draw(spec, "samples of each problem")
    cut = f" {len(names)} of {len(asked)} runs are shown." if len(names) < len(asked) else ""
    st.caption(
        f"Open circles: samples drawn. Filled: of them judged by the run's reference verifier, n. A curve ends at its "
        f"run's leftmost filled circle; the upright line is the target. {spec['description']}{cut}"
    )
    behind_chart("samples of each problem", text)


def _against_the_store(reading: Reading) -> None:
    """What the store holds now beside what the snapshot holds; read only where pages may look at the store."""
    if live_is_on():
        st.header("Snapshot and store", anchor=False)
        st.fragment(_compared, run_every=live.EVERY)(reading)


def _compared(reading: Reading) -> None:
    stored = live.stored()
    if stored.error is None and stored.samples is None:
        st.caption("The store is being asked.")
        return
    if stored.error:
        st.caption(f"The store does not answer, so nothing can be compared. {told(stored.error)}")
        return
    samples, verdicts = held(reading)
    rows = [
        {"of": "samples", "snapshot": samples, "store": stored.samples},
        {"of": "verdicts", "snapshot": verdicts, "store": stored.verdicts},
    ]
    st.dataframe(
        rows,
        hide_index=True,
        column_config=separated(rows),
        width="content",
        alt="Rows in the snapshot and in the store",
    )
    st.caption(f"Schema revision {stored.revision}. Counted by batches; `passatk mirror verify` compares every row.")


def _shown(check: Check, rows: list[Row], text: str) -> None:
    found = check.findings(rows)
    with st.container(border=True):
        _head(check, plural(len(found), "run") if found else None, text)
        if found:
            listed = [{"run": one.run, one.of: one.found, "what helps": one.advice} for one in found]
            st.dataframe(
                listed,
                hide_index=True,
                column_config=separated(listed),
                width="content",
                alt=check.name,
            )


def _head(check: Check | RowCheck, found: str | None, text: str) -> None:
    """What a check found (None: nothing), its name, why it matters and its SQL, on one line."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if found:
            st.badge(found, icon=":material/error:", color="orange")
        else:
            st.badge("fine", icon=":material/check:", color="green")
        st.markdown(f"**{check.name}**", width="content")
        st.caption(check.why, width="stretch")
        with st.popover("SQL", type="tertiary", help="Returns every row this check finds, in `passatk sql` too"):
            st.code(text, language="sql", wrap_lines=True)


def _looked_through(reading: Reading, check: RowCheck, run: str | None) -> None:
    text = check.of(run)
    found = _found(reading.id, text, reading.snapshot)
    count = found[0]["found"] if found else 0
    with st.container(border=True):
        _head(check, plural(count, "row") if count else None, text)
        if count:
            shown = [{key: value for key, value in row.items() if key != "found"} for row in found]
            st.dataframe(shown, hide_index=True, width="content", alt=check.name)
            if count > len(shown):
                st.caption(f"The first {len(shown):,} of {count:,} are shown.")


@st.cache_resource(max_entries=64, show_spinner=False)
def _rows(snapshot_id: str, text: str, _snapshot: Snapshot) -> list[Row]:
    return _snapshot.rows(text)


@st.cache_resource(max_entries=256, show_spinner="Looking through the rows")
def _found(snapshot_id: str, text: str, _snapshot: Snapshot) -> list[Row]:
    """The first rows found, each with how many there are in all."""
    # Not as a window over all rows: DuckDB 1.5 now and then fails for good on one of few rows.
    all_rows = f"WITH found_rows AS ({text}) SELECT *, (SELECT count(*) FROM found_rows) AS found FROM found_rows"  # noqa: S608 - own text
    return _snapshot.rows(f"{all_rows} LIMIT {_MOST}")
