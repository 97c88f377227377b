"""The pages and their addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard.views import compare, cost, coverage, health, overview, precision, problems, samples, sql, workers

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

#: path -> (group, title, icon, body); the first page lives at `/`.
_PAGES = {
    "overview": ("Results", "Overview", ":material/dashboard:", overview.page),
    "coverage": ("Results", "Coverage", ":material/show_chart:", coverage.page),
    "precision": ("Results", "Precision", ":material/rule:", precision.page),
    "cost": ("Results", "Cost", ":material/payments:", cost.page),
    "compare": ("Results", "Compare", ":material/compare_arrows:", compare.page),
    "problems": ("Inspect", "Problems", ":material/grid_on:", problems.page),
    "samples": ("Inspect", "Samples", ":material/article:", samples.page),
    "sql": ("Inspect", "SQL", ":material/terminal:", sql.page),
    "workers": ("Operate", "Workers", ":material/memory:", workers.page),
    "health": ("Operate", "Data health", ":material/monitor_heart:", health.page),
}


def pages() -> dict[str, StreamlitPage]:
    """Every page by its path."""
    return {
        path: st.Page(body, title=title, icon=icon, url_path=path, default=path == "overview", help=body.__doc__)
        for path, (_, title, icon, body) in _PAGES.items()
    }


def sections() -> dict[str, list[StreamlitPage]]:
    """The pages of each group, in order."""
    made = pages()
    grouped: dict[str, list[StreamlitPage]] = {}
    for path, (group, *_) in _PAGES.items():
        grouped.setdefault(group, []).append(made[path])
    return grouped
