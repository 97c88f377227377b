"""What verifiers said about one sample: the failing test first, then what was printed, then the circumstances."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from dashboard.differences import word_difference
from dashboard.scope import Row
from dashboard.wording import plain
from dashboard.words_drawn import draw_difference

ICONS = {"correct": ":material/check_circle:", "incorrect": ":material/cancel:", "undecided": ":material/help:"}
COLORS = {"correct": "green", "incorrect": "red", "undecided": "orange"}
#: What of a verdict's detail is read first: why it failed, then what was printed, then the rest.
_FIRST = ("fault", "failing_test", "failed_test", "test", "input", "exception", "error", "message", "equation")
_BOTH = ("difference", "expected", "got")
_THEN = ("exit_code", "signal", "traceback", "stderr", "stderr_tail", "stdout", "stdout_tail")
_LINES = 200


def draw_verdicts(verdicts: list[Row]) -> None:
    """One block a verdict, those that did not find the sample correct first."""
    if not verdicts:
        st.info("No verifier has judged this sample yet.")
    order = ("incorrect", "undecided", "correct")
    for place, row in enumerate(sorted(verdicts, key=lambda row: order.index(row["outcome"]))):
        with st.container(border=True):
            _head(row)
            if row["answer"] is not None:
                st.caption("Answer")
                st.code(row["answer"], language=None, wrap_lines=True)
            if row["answer_class"] not in (None, row["answer"]):
                st.caption("Counted as the same answer as")
                st.code(row["answer_class"], language=None, wrap_lines=True)
            _detail(row, place)


def _head(row: Row) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(row["outcome"], icon=ICONS[row["outcome"]], color=COLORS[row["outcome"]])  # type: ignore[arg-type]
        st.markdown(f"**{plain(row['verifier'])}**", width="content")
        if row["is_reference"]:
            st.badge("reference", color="blue", help="The verifier this run takes as ground truth")
        if row["weak"]:
            st.badge(
                "weak",
                icon=":material/shield_question:",
                color="orange",
                help="The tests had to share the candidate's process: a program that sets out to lie to them can.",
            )
        if row["tier"]:
            st.badge(f"sandbox: {plain(row['tier'])}", color="orange" if row["tier"] == "none" else "gray")
        parts = [
            str(row["reason"] or "").replace("_", " "),
            f"{row['seconds']:.2f} s" if row["seconds"] is not None else "",
            f"score {row['score']:g}" if row["score"] is not None else "",
            f"attempt {row['attempt'] + 1}" if row["attempt"] else "",
        ]
        st.caption(" · ".join(plain(part) for part in parts if part), width="content")


def _detail(row: Row, place: int) -> None:
    detail = json.loads(row["detail"]) if row["detail"] else {}
    if not isinstance(detail, dict):
        st.code(row["detail"], language="json", wrap_lines=True)
        return
    _named(detail, _FIRST)
    _expected_and_got(detail)
    _named(detail, _THEN)
    known = (*_FIRST, *_BOTH, *_THEN, "limits")
    circumstances = {
        "limits": detail.get("limits"),
        "options of the verifier": _parsed(row["options"]),
        "environment": _parsed(row["environment"]),
        "what else it noted": {key: value for key, value in detail.items() if key not in known},
    }
    told = {name: value for name, value in circumstances.items() if value}
    if told:
        with st.expander("Limits, environment and everything else"):
            for name, value in told.items():
                st.caption(name)
                st.code(json.dumps(value, indent=2, ensure_ascii=False), language="json", wrap_lines=True)
    if row["detail"] and len(row["detail"]) > 1000:
        st.download_button(
            "Download what the verifier noted",
            data=row["detail"],
            file_name=f"verdict-{place}.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
            key=f"download verdict {place}",
        )


def _named(detail: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in keys:
        if detail.get(key) not in (None, "", []):
            st.caption(key.replace("_", " "))
            st.code(_tail(detail[key]), language=None, wrap_lines=True)


def _expected_and_got(detail: dict[str, Any]) -> None:
    """Both beside each other, and where they differ."""
    if detail.get("difference"):
        _named(detail, ("difference",))
    if "expected" not in detail and "got" not in detail:
        return
    texts = {name: _tail(detail.get(name)) if detail.get(name) is not None else "nothing" for name in _BOTH[1:]}
    for column, (name, text) in zip(st.columns(2), texts.items(), strict=True):
        with column:
            st.caption(name)
            st.code(text, language=None, wrap_lines=True)
    if max(map(len, texts.values())) > 40:  # short ones are seen at a glance
        draw_difference(word_difference(texts["expected"], texts["got"]))


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _tail(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    lines = text.splitlines()
    if len(lines) <= _LINES:
        return text
    return f"… {len(lines) - _LINES:,} lines above\n" + "\n".join(lines[-_LINES:])
