"""Verifier precision: each verifier of a run against the reference, with thresholds where it gives scores."""

from __future__ import annotations

import streamlit as st

from dashboard import figure_block, second_verdict
from dashboard.answers import Answer
from dashboard.charts.agreement import precision_recall_spec
from dashboard.charts.palette import INK
from dashboard.controls import Controls
from dashboard.figures.figure import Figure
from dashboard.frame import behind_chart
from dashboard.on_sight import on_sight
from dashboard.scope import Row
from dashboard.second_verdict import Second
from dashboard.snapshots import Reading
from dashboard.wording import count, percent, plain, told
from store.analytics.concepts import catalogue
from store.errors import PassatkError

_THRESHOLDS = "score_thresholds"
_WORDS = ("correct", "incorrect")
_ACCEPTS = {"correct": "accepted", "incorrect": "rejected"}
#: Height of the confusion table, and its width where there is room, pixels.
_TABLE, _WIDTH = 150, 620


def section(reading: Reading, controls: Controls, run: Row, judged: list[Row]) -> None:
    """A block for each verifier that is not the reference."""
    proxies = [row["verifier"] for row in judged if row["verifier"] != run["reference"]]
    if not proxies:
        st.info("Only the reference verifier has judged this run; add a second verifier to see its precision.")
        return
    for proxy in proxies:
        try:
            answer = reading.ask("verifier_agreement", run=run["run"], verifier=proxy, reference=run["reference"])
        except PassatkError as error:
            st.info(told(f"{proxy}: {error}"))
            continue
        _confusion(reading, controls, answer, run, proxy)
        _curve(reading, controls, run, proxy)


def _confusion(reading: Reading, controls: Controls, answer: Answer, run: Row, proxy: str) -> None:
    row, reference = answer.records[0], run["reference"]
    accepted, right = row["tp"] + row["fp"], row["tp"] + row["fn"]
    with st.grid(4, min_column_width=210):
        _card(
            f"Precision of {plain(proxy)}",
            percent(row["precision"]),
            f"{count(row['tp'])} of {count(accepted)} accepted",
        )
        _card(f"Recall of {plain(proxy)}", percent(row["recall"]), f"{count(row['tp'])} of {count(right)} correct")
    on_sight(controls, f"confusion {proxy}", _TABLE, lambda: _cells(reading, run, row, proxy))
    st.caption(
        plain(
            f"Samples that both verifiers decided. {count(row['fp'])} false positives: {proxy} accepts what "
            f"{reference} rejects, which is how far its coverage curve lies above the reference's. "
            "A press on a number opens its samples."
        )
    )
    behind_chart("agreement", answer.sql, answer.notes)


def _cells(reading: Reading, run: Row, row: Row, proxy: str) -> None:
    """Samples by what both verifiers said; each number is a button that opens them."""
    reference = run["reference"]
    with st.grid(3, min_column_width=90, vertical_alignment="center", width=_WIDTH, wrap=False):
        st.caption("Samples")
        for word in _WORDS:
            st.caption(f"{word} by {plain(reference)}")
        for said, counts in (("correct", ("tp", "fp")), ("incorrect", ("fn", "tn"))):
            st.caption(f"{_ACCEPTS[said]} by {plain(proxy)}")
            for word, name in zip(_WORDS, counts, strict=True):
                pressed = st.button(
                    f"{row[name]:,}",
                    key=f"{name} {proxy}",
                    disabled=not row[name],
                    help=f"{_ACCEPTS[said]} by {plain(proxy)}, {word} by {plain(reference)}: opens them in Samples",
                    width="stretch",
                )
                if pressed:
                    second_verdict.open_cell(reading, run, proxy, said, Second(word, reference))


def _card(label: str, value: str, below: str) -> None:
    st.metric(label, value, below, delta_color="off", delta_arrow="off", border=True)


def _curve(reading: Reading, controls: Controls, run: Row, proxy: str) -> None:
    """Precision against recall over thresholds, where the verifier gives scores."""
    if _THRESHOLDS not in catalogue():
        return
    try:
        answer = reading.ask(_THRESHOLDS, run=run["run"], verifier=proxy, reference=run["reference"])
    except PassatkError:
        return  # it gives no scores
    rows = answer.records
    if len(rows) < 2:
        return
    place = controls.step(
        f"threshold {proxy}", list(range(len(rows))), len(rows) // 2, label=f"Threshold of {plain(proxy)}",
        format_func=lambda at: f"{rows[at]['threshold']:.3g}",
    )  # fmt: skip
    chosen = rows[place]
    spec = precision_recall_spec(rows, chosen["threshold"], INK)
    caption = (
        f"At {chosen['threshold']:.3g}: precision {percent(chosen['precision'])} ({chosen['tp']:,} of "
        f"{chosen['accepted']:,} accepted), recall {percent(chosen['recall'])}."
    )
    figure = Figure("thresholds", f"Thresholds of {proxy}", spec, caption, rows, answer.sql, answer.notes)
    figure_block.show_on_sight(controls, figure, rows, f"thresholds {proxy}")
