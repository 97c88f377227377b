"""What a run was made with: a drawer beside the page."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from dashboard.scope import Row
from dashboard.snapshots import Reading
from dashboard.wording import dollars, plain

_GROUPS = {
    "Model": ("model", "location", "backend", "adapter"),
    "Sampling": ("samples_per_problem", "temperature", "top_p", "top_k", "max_tokens", "stopping_rule", "design"),
    "Run": ("benchmark", "source", "reference", "tags", "created_at", "fingerprint"),
}


@st.dialog("Run", width="large", position="right")
def show(reading: Reading, row: Row) -> None:
    """Configuration, prompt, sampling, price and the verifiers with their versions."""
    settings = reading.ask("run_settings", run=[row["run"]]).records[0]
    st.subheader(plain(row["run"]), anchor=False)
    for title, names in _GROUPS.items():
        st.markdown(f"**{title}**")
        st.dataframe(
            [{"setting": name.replace("_", " "), "value": _text(settings[name])} for name in names],
            hide_index=True,
            alt=f"{title} of {row['run']}",
        )
    st.markdown("**Price**")
    if settings["price_from"] is None:
        st.caption(f"None stored: `passatk price set --model {plain(settings['model'])} ...` stores one.")
    else:
        st.caption(
            f"{dollars(settings['input_usd_per_mtok'])} a million prompt tokens, "
            f"{dollars(settings['output_usd_per_mtok'])} a million completion tokens, "
            f"from {settings['price_from']}.".replace("$", "\\$")
        )
    st.markdown("**Prompt**")
    if settings["system_prompt"]:
        st.code(settings["system_prompt"], language=None, wrap_lines=True)
    st.code(settings["prompt_template"] or "", language=None, wrap_lines=True)
    st.markdown("**Verifiers**")
    st.dataframe(reading.ask("run_verifiers", run=[row["run"]]).records, hide_index=True, alt="Verifiers of the run")
    with st.expander("All of it as JSON"):
        st.code(json.dumps(_whole(settings), indent=1, default=str), language="json", wrap_lines=True)


def _text(value: Any) -> str:
    return "—" if value is None else str(value)


def _whole(settings: Row) -> Row:
    """Settings with their JSON texts as values."""
    made = {}
    for name, value in settings.items():
        try:
            made[name] = json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value
        except ValueError:
            made[name] = value
    return made
