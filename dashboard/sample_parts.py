"""One sample on a page: how it was drawn and judged, its text, its prompt, what differs from a correct one."""

from __future__ import annotations

import difflib
import json
from typing import Any

import streamlit as st

from dashboard.controls import Controls
from dashboard.differences import word_difference
from dashboard.hostile_text import SHOWN, draw_text
from dashboard.sample_list import Filter
from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.verdicts import COLORS, ICONS, draw_verdicts
from dashboard.wording import dollars, plain, plural
from dashboard.words_drawn import draw_difference

_PARTS = ("completion", "prompt", "verdicts", "difference", "all fields")
_LOOKS = ("source", "rendered")
#: Correct samples offered to compare with.
_MODELS = 50


def draw_sample(reading: Reading, controls: Controls, chosen: Filter, problem: str, index: int) -> None:
    """The sample, one part of it at a time."""
    asked = {"run": chosen.name, "problem": problem, "sample_index": index}
    sample = reading.ask("sample", **asked).records[0]
    verdicts = reading.ask("sample_verdicts", **asked).records
    _header(sample, verdicts, index)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        part = _choice(controls, "part", _PARTS, "Part")
        look = _choice(controls, "look", _LOOKS, "Look") if part in _PARTS[:2] else _LOOKS[0]
    name = f"{chosen.name}-{problem}-{index}"
    if part == "completion":
        draw_text(sample["completion"], name, "completion", rendered=look != _LOOKS[0], numbers=True)
    elif part == "prompt":
        _prompt(sample, f"{problem}-prompt", look)
    elif part == "verdicts":
        draw_verdicts(verdicts)
    elif part == "difference":
        _difference(reading, controls, chosen, problem, sample)
    else:
        st.code(json.dumps(_fields(sample), indent=2, default=str), language="json", wrap_lines=True)


def _choice(controls: Controls, name: str, options: tuple[str, ...], label: str) -> str:
    return controls.one(
        name, options, options[0], st.segmented_control, label=label, required=True, label_visibility="collapsed"
    )


def _header(sample: Row, verdicts: list[Row], index: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**Sample {index}**", width="content")
        for row in verdicts:
            again = f", attempt {row['attempt'] + 1}" if row["attempt"] else ""
            why = f": {row['reason'].replace('_', ' ')}" if row["reason"] else ""
            st.badge(
                f"{row['outcome']} by {plain(row['verifier'])}{again}{plain(why)}",
                icon=ICONS[row["outcome"]],
                color=COLORS[row["outcome"]],  # type: ignore[arg-type]
            )
        if any(row["weak"] for row in verdicts):
            st.badge("weak", icon=":material/shield_question:", color="orange", help="See its verdicts")
        if sample["finish_reason"] == "length":
            st.badge("cut at the longest completion allowed", icon=":material/content_cut:", color="orange")
        if (sample["same_completion"] or 1) > 1:
            same = plural(sample["same_completion"] - 1, "other sample")
            st.badge(f"same text as {same}", icon=":material/content_copy:", color="gray")
    st.caption(" · ".join(plain(part) for part in _circumstances(sample, verdicts)))


def _circumstances(sample: Row, verdicts: list[Row]) -> list[str]:
    """Seed, engine, worker, tier, tokens and time: what is known of them."""
    told: list[str] = [sample["model"]]
    if sample["engine"]:
        told.append(" on ".join(part for part in (sample["engine"], sample["device"]) if part))
    if sample["worker"]:
        told.append(f"worker {sample['worker']}")
    if sample["imported_from"]:
        told.append(f"imported from {sample['imported_from'].rsplit('/', 1)[-1]}")
    told.append("seed unknown" if sample["seed"] is None else f"seed {sample['seed']}")
    sampling = json.loads(sample["sampling"] or "{}")
    told += [f"{name.replace('_', ' ')} {sampling[name]}" for name in ("temperature", "top_p") if name in sampling]
    if sample["completion_tokens"] is not None:
        told.append(plural(sample["completion_tokens"], "token"))
    if sample["reasoning_tokens"]:
        told.append(f"{sample['reasoning_tokens']:,} of them reasoning")
    told.append(_cost(sample))
    if sample["latency_seconds"] is not None:
        told.append(f"{sample['latency_seconds']:.1f} s")
    tiers = sorted({row["tier"] for row in verdicts if row["tier"]})
    if tiers:
        told.append(f"judged in {', '.join(tiers)}")
    return told


def _cost(sample: Row) -> str:
    """What drawing it cost at the price sheet in force."""
    if sample["priced_from"] is None:
        return "no price"
    return "cost not known" if sample["usd"] is None else f"cost {dollars(sample['usd'])}"


def _prompt(sample: Row, name: str, look: str) -> None:
    if sample["system_prompt"]:
        st.caption("System message")
        draw_text(sample["system_prompt"], f"{name}-system", "system message", rendered=look != _LOOKS[0])
        st.caption("Prompt")
    draw_text(sample["prompt"], name, "prompt", rendered=look != _LOOKS[0], numbers=True)


def _fields(sample: Row) -> dict[str, Any]:
    rest = {key: value for key, value in sample.items() if key not in ("completion", "prompt")}
    return rest | {"sampling": json.loads(sample["sampling"] or "{}")}


def _difference(reading: Reading, controls: Controls, chosen: Filter, problem: str, sample: Row) -> None:
    """Word by word from a correct sample of the problem to this one."""
    if chosen.verifier is None:
        st.info("No sample is judged yet, so there is no correct one to compare with.")
        return
    asked = {"run": chosen.name, "problem": problem, "verifier": chosen.verifier}
    right = reading.ask("samples", **asked, outcome="correct", limit=_MODELS, offset=0).records
    others = [str(row["sample_index"]) for row in right if row["sample_index"] != sample["sample_index"]]
    if not others:
        st.info("No other sample of this problem is correct, so there is nothing to compare with.")
        return
    other = controls.one("against", others, others[0], st.selectbox, label="Correct sample to compare with", width=240)
    model = reading.ask("sample", run=chosen.name, problem=problem, sample_index=int(other)).records[0]
    st.caption(
        f"From sample {other}, which is correct (~~struck through~~ on red), to sample {sample['sample_index']} "
        "(**bold** on green)."
    )
    before, after = ((row["completion"] or "")[:SHOWN] for row in (model, sample))
    lines = word_difference(before, after)
    if not lines:
        st.info("The two completions are the same text.")
        return
    draw_difference(lines)
    with st.expander("Line by line"):
        told = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
        st.code("\n".join(list(told)[2:]), language="diff", wrap_lines=True)
    if max(len(row["completion"] or "") for row in (model, sample)) > SHOWN:
        st.caption("Only the first 50 kB of each are compared.")
