"""One problem looked into: what is asked, how each run fares, what the samples answer, and ways to its samples."""

from __future__ import annotations

import json
import random
from typing import Any

import streamlit as st

from dashboard import acting, readers, scope
from dashboard.hostile_text import draw_text
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.ways import open_page
from dashboard.wording import percent, plain, plural
from store.analytics import Snapshot
from store.analytics.errors import UnknownName

#: Answers shown, the commonest first.
_ANSWERS = 10
#: Samples on a page of the Samples page.
SAMPLES_A_PAGE = 50
#: The choices of Samples that mean: every sample of a problem; and its first page, with no sample chosen.
UNFILTERED: dict[str, Any] = {
    "outcome": "any",
    "answer": "any",
    "reason": "any",
    "ending": "any",
    "contains": "",
    "score_from": None,
    "score_to": None,
    "also": "any",
}
EVERY_SAMPLE = UNFILTERED | {"page": 1, "sample": None}


def draw(reading: Reading, row: Row, run: Row, choice: str, rates: dict[str, dict[str, tuple[int, int]]]) -> None:
    """The drawer of a problem; `row` is its counts in the run, `rates` (n, c) by problem within run."""
    verifier = scope.judged_by(choice, run)
    said = _about(reading.id, row["problem_id"], reading.snapshot)
    if row["quarantined"]:
        st.badge(
            f"Set aside: {plain(said['reason'] or 'no reason was given')}", icon=":material/block:", color="orange"
        )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.markdown("**What is asked**")
        draw_text(said["prompt"], f"problem {row['problem']}", "problem")
        clusters = _clusters(reading, run["run"], row["problem"], verifier)
        _answers(clusters)
    with right:
        st.metric(
            "Correct samples",
            f"{row['c']} of {row['n']}",
            percent(row["pass_rate"]),
            delta_color="off",
            delta_arrow="off",
            border=True,
        )
        _reference(row, said)
        _ways(reading, run, row, choice, verifier, clusters)
        _every_run(row["problem"], rates)
        _quarantine(row, run)


def _clusters(reading: Reading, run: str, problem: str, verifier: str | None) -> list[Row]:
    """The answers of the samples; none, said in words, where the verifier reads none and others are at odds."""
    try:
        return reading.ask("answer_clusters", run=run, problem=problem, verifier=verifier).records
    except UnknownName:
        st.caption("This verifier reads no answers. Choose one that does under `Judged by` to see them.")
        return []


def _answers(clusters: list[Row]) -> None:
    if not clusters:
        st.caption("This verifier takes no answers out of completions.")
        return
    st.markdown("**What the samples answer**")
    st.dataframe(
        [
            {
                "answer": str(one["answer"]) if one["answer"] is not None else "no answer",
                "share": one["share"],
                "correct": f"{one['correct']:,} of {one['count']:,}",
            }
            for one in clusters[:_ANSWERS]
        ],
        hide_index=True,
        alt="Commonest answers",
        key="answers of the problem",
        column_config={"share": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)},
    )
    if len(clusters) > _ANSWERS:
        st.caption(f"{_ANSWERS} of {len(clusters):,} distinct answers are shown.")


def _reference(row: Row, said: Row) -> None:
    if row["reference_answer"]:
        with st.popover("Show the reference answer"):
            st.code(row["reference_answer"], language=None, wrap_lines=True)
    if said["tests"]:
        with st.popover("Show the tests"):
            st.code(said["tests"][:20_000], language="python", wrap_lines=True)
    rest = json.loads(said["metadata"]) if said["metadata"] else None
    if rest:
        with st.popover("What else the source said"):
            st.code(json.dumps(rest, indent=2, ensure_ascii=False)[:20_000], language="json", wrap_lines=True)


def _every_run(problem: str, rates: dict[str, dict[str, tuple[int, int]]]) -> None:
    found = {name: problems[problem] for name, problems in rates.items() if problem in problems}
    if len(found) < 2:
        return
    st.markdown("**The same problem in other runs**")
    st.dataframe(
        [{"run": name, "n": n, "c": c, "share": round(c / n, 3) if n else None} for name, (n, c) in found.items()],
        hide_index=True,
        alt="The problem in every run",
        key="problem in every run",
        column_config={"share": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)},
    )


def _ways(reading: Reading, run: Row, row: Row, choice: str, verifier: str | None, clusters: list[Row]) -> None:
    """Buttons that open the Samples page on some of the problem's samples."""
    n, c = row["n"] or 0, row["c"] or 0
    wrong = next((one for one in clusters if one["answer"] is not None and 2 * one["correct"] <= one["count"]), None)
    ways: dict[str, dict[str, Any]] = {}
    if c:
        ways["Correct samples"] = {"outcome": "correct"}
    if n > c:
        ways["Incorrect samples"] = {"outcome": "incorrect"}
    if wrong:
        ways["The commonest wrong answer"] = {"outcome": "incorrect", "answer": wrong["answer"]}
    with st.container(gap="xsmall"):
        for label, chosen in ways.items():
            if _button(label):
                _open(run, row, choice, **chosen)
        if n and _button("A sample at random"):
            _open(run, row, choice, **_at_random(reading, run, row, verifier))
    st.caption(f"{plural(n, 'judged sample')}, {plural(row['undecided'] or 0, 'undecided one')}.")


_SET_ASIDE = (
    "Its samples and verdicts stay; every page can leave it out under Quarantined. Shown from the next snapshot on."
)
_TAKE_BACK = "It takes part again, also where Quarantined is off. Shown from the next snapshot on."


def _quarantine(row: Row, run: Row) -> None:
    """Set the problem aside or take it back; readers who are no operators see the command."""
    acting.said()
    verb = "release" if row["quarantined"] else "quarantine"
    words = ("problem", verb, "--", run["benchmark"], row["problem"])
    label = "Take this problem back" if row["quarantined"] else "Set this problem aside"
    if not readers.may("operator"):
        given = words if row["quarantined"] else (*words[:2], "--reason=REASON", *words[2:])
        with st.popover(label, type="tertiary"):
            st.caption("For operators, on the command line:")
            st.code(acting.command_line(given), language="bash", wrap_lines=True)
    elif st.button(f"{label} …", key="quarantine", icon=":material/block:", type="tertiary"):
        explains = _TAKE_BACK if row["quarantined"] else _SET_ASIDE
        acting.confirm(f"{label}: {row['problem']}", explains, words, asks_why=not row["quarantined"])


def _button(label: str) -> bool:
    return st.button(label, key=f"open {label.lower()}", icon=":material/arrow_forward:", type="tertiary")


def _at_random(reading: Reading, run: Row, row: Row, verifier: str | None) -> dict[str, Any]:
    asked = {"run": run["run"], "problem": row["problem"], "verifier": verifier, "limit": 1}
    every = reading.ask("samples", **asked, offset=0).records[0]["matching"]
    place = random.randrange(every)
    found = reading.ask("samples", **asked, offset=place).records[0]
    return {"page": place // SAMPLES_A_PAGE + 1, "sample": str(found["sample_index"])}


def _open(run: Row, row: Row, choice: str, **chosen: Any) -> None:
    asked = {"one run": run["run"], "problem": row["problem"], "by": choice}
    open_page("samples", **asked | EVERY_SAMPLE | chosen)


@st.cache_resource(max_entries=256, show_spinner=False)
def _about(snapshot_id: str, problem_id: int, _snapshot: Snapshot) -> Row:
    """What the store knows of a problem beside its counts."""
    return _snapshot.rows(
        "SELECT p.prompt, p.tests, p.metadata, q.reason FROM problems AS p "  # noqa: S608 - a number
        "LEFT JOIN quarantines AS q ON p.problem_id = q.problem_id AND q.lifted_at IS NULL "
        f"WHERE p.problem_id = {int(problem_id)} LIMIT 1"
    )[0]
