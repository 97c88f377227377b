"""Asking a reader for the sizes of models, which the FLOPs axis needs."""

from __future__ import annotations

import streamlit as st

from dashboard.charts.quantities import FLOPS, Quantity
from dashboard.controls import Controls
from dashboard.figures.model_sizes import HELP, Size, parsed
from store.errors import PassatkError


def model_sizes(controls: Controls, quantity: Quantity) -> dict[str, Size]:
    """Sizes by model as the page's address has them; asked for only where FLOPs are drawn."""
    if quantity is not FLOPS:
        return {}
    text = controls.text(
        "sizes", label="Model sizes", placeholder="model=parameters,layers,width", help=HELP, width=420
    )
    try:
        return parsed(text)
    except PassatkError as error:
        st.warning(str(error))
        return {}
