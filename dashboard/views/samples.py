"""Samples: what the model wrote, and what each verifier said about it. Completions are hostile text."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass

import streamlit as st

from dashboard import scope
from dashboard.controls import Controls
from dashboard.frame import no_runs, view
from dashboard.scope import REFERENCE, Row
from dashboard.snapshots import Reading
from dashboard.verdicts import COLORS, ICONS, draw_verdicts
from dashboard.wording import plain, plural, size

_PAGE = 50
#: Longest text drawn without being asked for, characters.
_SHOWN = 50_000
_MARKS = {outcome: f":{COLORS[outcome]}[{icon}]" for outcome, icon in ICONS.items()}
_OUTCOMES = ("any", "correct", "incorrect", "undecided", "unjudged")


@view("Samples", "What did the model write, and why was it judged as it was?")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    run, aside = scope.choose_run(controls, rows)
    if not run["samples"]:
        st.info(f"{plain(run['run'])} has no samples yet. Start it with `passatk run start`.")
        return
    judged = scope.verifiers_of(reading, [run["run"]])
    if not judged or run["reference"] is None:
        st.info(f"No verifier has judged {plain(run['run'])} yet. Judge it with `passatk verify --run {run['run']}`.")
        return
    with aside:
        choice = controls.one(
            "by",
            scope.verifier_options(judged),
            REFERENCE,
            st.selectbox,
            label="Judged by",
        )
    chosen = Filter(run["run"], scope.judged_by(choice, run))
    problem, outcome = _filters(reading, controls, chosen)
    left, right = st.columns([2, 5], gap="medium")
    with left:
        index = _list(reading, controls, chosen, problem, outcome)
    if index is not None:
        with right:
            _sample(reading, chosen, problem["problem"], index)


@dataclass(frozen=True)
class Filter:
    """Whose samples are listed, and whose verdicts stand beside them."""

    run: str
    verifier: str | None


def _filters(reading: Reading, controls: Controls, chosen: Filter) -> tuple[Row, str]:
    """The problem (its counts by the chosen verifier) and the outcome."""
    counts = {row["problem"]: row for row in _counts(reading, chosen)}
    left, right = st.columns([5, 5], vertical_alignment="bottom")
    with left:
        problem = controls.one(
            "problem",
            list(counts),
            next(iter(counts)),
            st.selectbox,
            label="Problem",
            format_func=lambda key: _problem_line(counts[key]),
        )
    with right:
        outcome = controls.one("outcome", _OUTCOMES, "any", st.segmented_control, label="Verdict", required=True)
    return counts[problem], outcome


def _counts(reading: Reading, chosen: Filter) -> list[Row]:
    return reading.ask("pass_rates", run=chosen.run, verifier=chosen.verifier).records


def _problem_line(row: Row) -> str:
    return f"{row['problem']} · {row['c']} of {row['n']} correct" if row["n"] else f"{row['problem']} · not judged"


def _list(reading: Reading, controls: Controls, chosen: Filter, problem: Row, outcome: str) -> int | None:
    """A page of samples to choose from; completions are never read here."""

    def listed(limit: int, offset: int) -> list[Row]:
        return reading.ask(
            "samples",
            run=chosen.run,
            problem=problem["problem"],
            verifier=chosen.verifier,
            outcome=None if outcome == "any" else outcome,
            limit=limit,
            offset=offset,
        ).records

    total = next((row["matching"] for row in listed(1, 0)), 0)
    if total == 0:
        st.info("No sample matches. Choose another verdict.")
        return None
    pages = -(-total // _PAGE)
    number = 1
    if pages > 1:
        number = controls.whole(
            "page", 1, pages, 1, st.pagination, first="default", num_pages=pages, max_visible_pages=5
        )
    first = (number - 1) * _PAGE
    rows = listed(_PAGE, first)
    by_index = {str(row["sample_index"]): row for row in rows}
    st.caption(f"Samples {first + 1:,} to {first + len(rows):,} of {total:,}")
    with st.container(height=620, border=True):
        index = controls.one(
            "sample",
            list(by_index),
            next(iter(by_index)),
            st.radio,
            label="Sample",
            label_visibility="collapsed",
            format_func=lambda key: _line(by_index[key]),
        )
    return int(index)


def _line(row: Row) -> str:
    """One line of the list, as Markdown: whatever the model had a say in is escaped."""
    mark = _MARKS.get(row["outcome"], "")
    said = row["answer"][:24] if row["answer"] else str(row["reason"] or "").replace("_", " ")
    return f"{mark} {row['sample_index']}" + (f" · {plain(said)}" if said else "")


def _sample(reading: Reading, chosen: Filter, problem: str, index: int) -> None:
    run = chosen.run
    asked = {"run": run, "problem": problem, "sample_index": index}
    sample = reading.ask("sample", **asked).records[0]
    verdicts = reading.ask("sample_verdicts", **asked).records
    _header(sample, verdicts, index)
    completion, prompt, said, compared, raw = st.tabs(["Completion", "Prompt", "Verdicts", "Difference", "All fields"])
    with completion:
        _text(sample["completion"], "completion", f"{run}-{problem}-{index}")
    with prompt:
        _text(sample["prompt"], "prompt", f"{problem}-prompt")
    with said:
        draw_verdicts(verdicts)
    with compared:
        _difference(reading, chosen, problem, sample, index)
    with raw:
        rest = {key: value for key, value in sample.items() if key not in ("completion", "prompt")}
        st.code(json.dumps(rest, indent=2, default=str), language="json", wrap_lines=True)


def _header(sample: Row, verdicts: list[Row], index: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**Sample {index}**", width="content")
        for row in verdicts:
            again = f", attempt {row['attempt'] + 1}" if row["attempt"] else ""
            st.badge(
                f"{row['outcome']} by {plain(row['verifier'])}{again}",
                icon=ICONS[row["outcome"]],
                color=COLORS[row["outcome"]],  # type: ignore[arg-type]
            )
        if sample["finish_reason"] == "length":
            st.badge("cut at the longest completion allowed", icon=":material/content_cut:", color="orange")
        tokens = sample["completion_tokens"]
        if tokens is not None:
            st.caption(plural(tokens, "token"), width="content")


def _difference(reading: Reading, chosen: Filter, problem: str, sample: Row, index: int) -> None:
    """Line by line against the first correct sample of the problem."""
    right = reading.ask(
        "samples", run=chosen.run, problem=problem, verifier=chosen.verifier, outcome="correct", limit=2, offset=0
    ).records
    other = next((row["sample_index"] for row in right if row["sample_index"] != index), None)
    if other is None:
        st.info("No other sample of this problem is correct, so there is nothing to compare with.")
        return
    model = reading.ask("sample", run=chosen.run, problem=problem, sample_index=other).records[0]
    st.caption(f"From sample {other}, which is correct (−), to sample {index} (+).")
    before, after = ((row["completion"] or "")[:_SHOWN].splitlines() for row in (model, sample))
    lines = difflib.unified_diff(before, after, lineterm="")
    body = "\n".join(list(lines)[2:])
    if body:
        st.code(body, language="diff", wrap_lines=True)
    else:
        st.info("The two completions are the same text.")


def _text(text: str | None, kind: str, name: str) -> None:
    """Text as it is, never rendered: a completion may hold HTML, Markdown images or links that call home."""
    if not text:
        st.info(f"This {kind} is empty.")
        return
    whole = len(text) <= _SHOWN or st.toggle(f"Show all {size(len(text))}", key=f"all {kind} {name}")
    st.code(text if whole else text[:_SHOWN], language=None, wrap_lines=True, line_numbers=True)
    if not whole:
        st.caption(f"The first {size(_SHOWN)} of {size(len(text))} are shown.")
    st.download_button(
        f"Download {kind}",
        data=text,
        file_name=f"{name.replace('/', '-')}.txt",
        mime="text/plain",
        icon=":material/download:",
        on_click="ignore",
        key=f"download {kind}",
    )
