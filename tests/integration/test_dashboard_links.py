"""Every page's link: it holds every choice, opens the same view again, and says what of it is not known."""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import saved_views
from tests.integration.test_dashboard_pages import BIG, PAGES, SMALL, mirror, page, quiet, seeded

__all__ = ["mirror", "quiet", "seeded"]

#: What a reader asks of each page beside its defaults.
ASKED: dict[str, dict[str, str | list[str]]] = {
    "overview": {},
    "coverage": {"run": [BIG, SMALL], "k": "10", "band": "off"},
    "precision": {"run": BIG, "k": "10"},
    "cost": {"run": [BIG, SMALL], "k": "10"},
    "compare": {"run": [BIG, SMALL], "baseline": SMALL},
    "problems": {"run": BIG, "show": "sometimes", "rate": "0.1..0.3", "problem": "sum-05", "quarantined": "off"},
    "samples": {"run": BIG, "problem": "sum-05", "outcome": "incorrect", "part": "verdicts", "ending": "stop"},
    "sql": {"query": "SELECT 1"},
    "workers": {"live": "off"},
    "health": {"of": BIG},
}


def link_of(test: AppTest) -> dict[str, list[str]]:
    text = next(str(block.value) for block in test.code if "snapshot=" in str(block.value))
    return urllib.parse.parse_qs(text.partition("?")[2], keep_blank_values=True)


@pytest.fixture(autouse=True)
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of workers asks the store; here it is told that there is none."""
    monkeypatch.setattr("dashboard.live.latest", lambda patience=0: (None, "There is no store here."))


@pytest.mark.parametrize("name", PAGES)
def test_a_link_opens_the_same_view(seeded: Path, name: str) -> None:
    first = link_of(page(name, **ASKED[name]))
    for key, value in ASKED[name].items():
        assert first[key] == ([value] if isinstance(value, str) else value), key
    assert first["snapshot"]
    again = page(name, **first)  # type: ignore[arg-type]
    assert not again.warning, [one.value for one in again.warning]
    assert not again.exception
    assert link_of(again) == first


@pytest.mark.parametrize("name", PAGES)
def test_what_a_link_asks_and_nobody_knows_is_said(seeded: Path, name: str) -> None:
    test = page(name, colour="red")
    assert any("colour" in one.value for one in test.warning)
    assert "colour" not in link_of(test)


def test_a_view_is_saved_opened_and_deleted(seeded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_HOME", str(tmp_path))
    went: list[Any] = []
    monkeypatch.setattr("streamlit.switch_page", lambda to, query_params: went.append((to.url_path, query_params)))
    test = page("problems", run=[BIG], show="never solved")
    test.text_input[0].set_value("hard ones *now*")
    next(button for button in test.button if button.label == "Save this view").click().run()
    assert not test.exception
    (view,) = saved_views.listed()
    assert (view.name, view.path) == ("hard ones *now*", "problems")
    assert view.parameters["show"] == ["never solved"]
    assert "snapshot" not in view.parameters
    test.button(key="open view 0").click().run()
    assert went == [("problems", view.parameters)]
    test.button(key="delete view 0").click().run()
    assert saved_views.listed() == []
