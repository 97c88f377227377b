"""What verifiers said about one sample: the failing test first, then what was printed, then the rest."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from dashboard.scope import Row
from dashboard.wording import plain

ICONS = {"correct": ":material/check_circle:", "incorrect": ":material/cancel:", "undecided": ":material/help:"}
COLORS = {"correct": "green", "incorrect": "red", "undecided": "orange"}


def draw_verdicts(verdicts: list[Row]) -> None:
    """One block a verdict, those that did not find the sample correct first."""
    if not verdicts:
        st.info("No verifier has judged this sample yet.")
        return
    worst_first = sorted(verdicts, key=lambda row: ("incorrect", "undecided", "correct").index(row["outcome"]))
    for row in worst_first:
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.badge(row["outcome"], icon=ICONS[row["outcome"]], color=COLORS[row["outcome"]])  # type: ignore[arg-type]
                st.markdown(f"**{plain(row['verifier'])}**", width="content")
                parts = [str(row["reason"] or "").replace("_", " ")]
                parts.append(f"{row['seconds']:.2f} s" if row["seconds"] is not None else "")
                st.caption(" · ".join(part for part in parts if part), width="content")
            if row["answer"] is not None:
                st.caption("Answer")
                st.code(row["answer"], language=None, wrap_lines=True)
            if row["score"] is not None:
                st.caption(f"Score {row['score']:g}")
            _detail(row["detail"])


#: What of a verdict's detail is read first: why it failed, then what was printed, then the rest.
_FIRST = (
    "fault",
    "failing_test",
    "failed_test",
    "test",
    "exception",
    "error",
    "message",
    "equation",
    "expected",
    "got",
)
_THEN = ("traceback", "stderr", "stderr_tail", "stdout", "stdout_tail")


def _detail(text: str | None) -> None:
    if not text:
        return
    detail = json.loads(text)
    if not isinstance(detail, dict):
        st.code(text, language="json", wrap_lines=True)
        return
    known = [key for key in (*_FIRST, *_THEN) if key in detail]
    for key in known:
        value: Any = detail[key]
        if value in (None, "", []):
            continue
        st.caption(key.replace("_", " "))
        st.code(_tail(value), language=None, wrap_lines=True)
    rest = {key: value for key, value in detail.items() if key not in known}
    if rest:
        with st.expander("Everything the verifier noted"):
            st.code(json.dumps(rest, indent=2, ensure_ascii=False), language="json", wrap_lines=True)


def _tail(value: Any, lines: int = 200) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    parts = text.splitlines()
    return text if len(parts) <= lines else f"… {len(parts) - lines:,} lines above\n" + "\n".join(parts[-lines:])
