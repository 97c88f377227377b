"""Which samples of a problem are listed, and the list to choose one from; completions are never read here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.controls import Controls
from dashboard.problem_drawer import SAMPLES_A_PAGE, UNFILTERED
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.verdicts import COLORS, ICONS
from dashboard.wording import plain, plural
from store.analytics import Snapshot
from store.analytics.naming import labelled
from store.errors import PassatkError

_MARKS = {outcome: f":{COLORS[outcome]}[{icon}]" for outcome, icon in ICONS.items()}
_OUTCOMES = ("any", "correct", "incorrect", "undecided", "unjudged")
_ENDINGS = ("any", "stop", "length", "abort")
ANY = "any"
#: Shortest text that is searched for, and most answers offered.
_SHORTEST, _ANSWERS = 3, 1000
#: The ends of a range of scores, as choices and as parameters of the query `samples`.
_BOUNDS = ("score_from", "score_to")


@dataclass(frozen=True)
class Filter:
    """Whose samples are listed, and whose verdicts stand beside them (nobody's: None)."""

    run: Row
    verifier: str | None

    @property
    def name(self) -> str:
        return str(self.run["run"])


def choose_outcome(controls: Controls) -> str:
    """The verdict that the listed samples have; ANY where none is asked."""
    return controls.one("outcome", _OUTCOMES, ANY, st.segmented_control, label="Verdict", required=True)


def choose_problem(reading: Reading, controls: Controls, chosen: Filter, found: dict[str, int]) -> Row:
    """The problem, with its counts by the chosen verifier; those with samples that are asked for (`found`) first."""
    if chosen.verifier is None:
        known = _problems(reading.id, chosen.run["run_id"], reading.snapshot)
    else:
        known = reading.ask("pass_rates", run=chosen.name, verifier=chosen.verifier).records
    counts = {row["problem"]: row for row in sorted(known, key=lambda row: bool(found) and row["problem"] not in found)}
    problem = controls.one(
        "problem",
        list(counts),
        next(iter(counts)),
        st.selectbox,
        label="Problem",
        format_func=lambda key: _problem_line(counts[key], found),
    )
    return counts[problem]


def _problem_line(row: Row, found: dict[str, int]) -> str:
    set_aside = " · quarantined" if row["quarantined"] else ""
    if found:
        return f"{row['problem']} · {plural(found.get(row['problem'], 0), 'such sample')}{set_aside}"
    counted = f"{row['c']:,} of {row['n']:,} correct" if row["n"] else "not judged"
    return f"{row['problem']} · {counted}{set_aside}"


def choose_filters(reading: Reading, controls: Controls, chosen: Filter, problem: Row, outcome: str) -> dict[str, Any]:
    """What the listed samples have in common, as parameters of the query `samples`; None where nothing is asked."""
    reasons = _reasons(reading.id, chosen.run["run_id"], problem["problem_id"], reading.snapshot)
    answers = _answers(reading, chosen, problem)
    scores = _scores(reading, chosen, problem)
    asks = scores is not None or any(controls.link.asked.get(name) for name in _BOUNDS)
    columns = st.columns([2, 2, 2, 2, 2, 4] if asks else [2, 2, 2, 4], vertical_alignment="bottom")
    with columns[0]:
        answer = controls.one("answer", [ANY, *answers], ANY, st.selectbox, label="Answer")
    with columns[1]:
        reason = controls.one(
            "reason",
            [ANY, *reasons],
            ANY,
            st.selectbox,
            label="Reason",
            format_func=lambda key: str(key).replace("_", " "),
        )
    with columns[2]:
        ending = controls.one("ending", _ENDINGS, ANY, st.selectbox, label="Ended by", format_func=_ending)
    bounds = dict.fromkeys(_BOUNDS)
    if asks:
        for place, name in enumerate(_BOUNDS):
            with columns[3 + place]:
                bounds[name] = controls.decimal(
                    name, label=name.replace("_", " ").capitalize(), **_score_looks(scores, place)
                )
    with columns[-1]:
        contains = controls.text("contains", label="Contains", placeholder="text of the completion")
    if 0 < len(contains) < _SHORTEST:
        st.caption(f"Text is searched for from {_SHORTEST} characters on.")
    asked = {"outcome": outcome, "answer": answer, "reason": reason, "finish_reason": ending}
    found: dict[str, Any] = {name: None if value == ANY else value for name, value in asked.items()}
    return found | bounds | {"contains": contains if len(contains) >= _SHORTEST else None}


def _scores(reading: Reading, chosen: Filter, problem: Row) -> tuple[float, float] | None:
    """The lowest and the highest score of the problem's samples, where the chosen verifier gives scores."""
    if chosen.verifier is None:
        return None
    run_id, problem_id = chosen.run["run_id"], problem["problem_id"]
    return _scored(reading.id, run_id, problem_id, chosen.verifier, reading.snapshot)


def _score_looks(scores: tuple[float, float] | None, place: int) -> dict[str, Any]:
    """The end of the scores stands in an empty box; a step is about a hundredth of their range."""
    if scores is None:
        return {"format": "%.4g"}
    spread = scores[1] - scores[0]
    step = 10.0 ** round(math.log10(spread / 100)) if spread > 0 else 0.01
    return {"placeholder": f"{scores[place]:.4g}", "format": "%.4g", "step": step}


def _ending(key: str) -> str:
    return {"length": "length (cut)"}.get(key, key)


def _answers(reading: Reading, chosen: Filter, problem: Row) -> list[str]:
    if chosen.verifier is None:
        return []
    asked = {"run": chosen.name, "problem": problem["problem"], "verifier": chosen.verifier}
    try:
        clusters = reading.ask("answer_clusters", **asked, answers_from=chosen.verifier).records
    except PassatkError:
        return []  # it reads no answers, as one that only gives scores
    return [row["answer"] for row in clusters if row["answer"] not in (None, "", ANY)][:_ANSWERS]


def choose_sample(
    reading: Reading, controls: Controls, chosen: Filter, problem: Row, filters: dict[str, Any]
) -> int | None:
    """A page of samples to choose from; the index of the chosen one."""
    asked = {"run": chosen.name, "problem": problem["problem"], "verifier": chosen.verifier} | filters

    def listed(limit: int, offset: int) -> list[Row]:
        return reading.ask("samples", **asked, limit=limit, offset=offset).records

    rows = listed(SAMPLES_A_PAGE, 0)
    if not rows:
        st.info("No sample matches.")
        st.button("Clear filters", on_click=_clear, args=(controls,))
        return None
    total = rows[0]["matching"]
    pages = -(-total // SAMPLES_A_PAGE)
    number = 1
    if pages > 1:
        number = controls.whole(
            "page", 1, pages, 1, st.pagination, first="default", num_pages=pages, max_visible_pages=5
        )
    first = (number - 1) * SAMPLES_A_PAGE
    if first:
        rows = listed(SAMPLES_A_PAGE, first)
    by_index = {str(row["sample_index"]): row for row in rows}
    st.caption(f"Samples {first + 1:,} to {first + len(rows):,} of {total:,}")
    with st.container(height=620 if len(rows) > 12 else "content", border=True):
        index = controls.one(
            "sample",
            list(by_index),
            next(iter(by_index)),
            st.radio,
            label="Sample",
            label_visibility="collapsed",
            format_func=lambda key: _line(by_index[key]),
        )
    _steps(controls, list(by_index), index, number, pages)
    return int(index)


def _clear(controls: Controls) -> None:
    for name, value in UNFILTERED.items():
        controls.choose(name, value)


def _steps(controls: Controls, indices: list[str], index: str, number: int, pages: int) -> None:
    """The sample before and the one after, by button or arrow key; at the ends of a page of the list, the next page."""
    at = indices.index(index)

    def go(by: int) -> None:
        if 0 <= at + by < len(indices):
            controls.choose("sample", indices[at + by])
        else:
            controls.choose("page", number + by)

    with st.container(horizontal=True, gap="small"):
        for by, label, key, ends in (
            (-1, "Previous", "Left", number == 1 and at == 0),
            (1, "Next", "Right", number == pages and at == len(indices) - 1),
        ):
            st.button(label, key=label.lower(), shortcut=key, disabled=ends, on_click=go, args=(by,))


def _line(row: Row) -> str:
    """One line of the list, as Markdown: whatever the model had a say in is escaped."""
    mark = _MARKS.get(row["outcome"], "")
    said = row["answer"][:24] if row["answer"] else str(row["reason"] or "").replace("_", " ")
    score = f"{row['score']:.3g}" if row["score"] is not None else ""
    tokens = plural(row["completion_tokens"], "token") if row["completion_tokens"] is not None else ""
    rest = " · ".join(part for part in (plain(said), plain(score), f":gray[{tokens}]" if tokens else "") if part)
    return f"{mark} {row['sample_index']}" + (f" · {rest}" if rest else "")


@st.cache_resource(max_entries=64, show_spinner=False)
def _problems(snapshot_id: str, run_id: int, _snapshot: Snapshot) -> list[Row]:
    """Problems with samples of a run that nobody has judged."""
    return _snapshot.rows(
        "SELECT p.problem_id, p.problem, p.quarantined, NULL AS n, NULL AS c FROM sample_counts AS s "  # noqa: S608
        f"JOIN problems AS p USING (problem_id) WHERE s.run_id = {int(run_id)} ORDER BY p.position"
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def _scored(
    snapshot_id: str, run_id: int, problem_id: int, verifier: str, _snapshot: Snapshot
) -> tuple[float, float] | None:
    key = labelled(_snapshot, verifier)
    row = _snapshot.rows(
        "SELECT CAST(min(score) AS DOUBLE) AS low, CAST(max(score) AS DOUBLE) AS high FROM verdicts "  # noqa: S608
        f"WHERE run_id = {int(run_id)} AND problem_id = {int(problem_id)} AND verifier_id = {key}"
    )[0]
    return None if row["low"] is None else (row["low"], row["high"])


@st.cache_resource(max_entries=256, show_spinner=False)
def _reasons(snapshot_id: str, run_id: int, problem_id: int, _snapshot: Snapshot) -> list[str]:
    """Why samples of the problem were not found correct, by any verifier."""
    found = _snapshot.rows(
        f"SELECT DISTINCT reason FROM verdicts WHERE run_id = {int(run_id)} AND problem_id = {int(problem_id)} "  # noqa: S608
        "AND reason IS NOT NULL ORDER BY reason"
    )
    return [row["reason"] for row in found]
