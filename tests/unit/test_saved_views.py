"""Saved views: kept whole, replaced only by whoever saved them, and refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard import saved_views
from dashboard.saved_views import BadView


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PASSATK_HOME", str(tmp_path))
    return tmp_path


def test_a_view_is_kept_replaced_and_deleted() -> None:
    assert saved_views.listed() == []
    saved_views.save("zeta", "cost", {"k": ["10"]}, None)
    saved_views.save("  Alpha   one ", "coverage", {"run": ["a", "b"]}, None)
    first, second = saved_views.listed()
    assert (first.name, first.path, first.parameters) == ("Alpha one", "coverage", {"run": ["a", "b"]})
    assert second.name == "zeta"
    saved_views.save("zeta", "cost", {"k": ["20"]}, None)
    assert saved_views.listed()[1].parameters == {"k": ["20"]}
    saved_views.delete("zeta")
    saved_views.delete("zeta")
    assert [view.name for view in saved_views.listed()] == ["Alpha one"]


def test_the_view_of_somebody_else_is_not_replaced() -> None:
    saved_views.save("mine", "cost", {}, "ann@example.org")
    with pytest.raises(BadView, match=r"saved by ann@example\.org"):
        saved_views.save("mine", "cost", {}, "bob@example.org")


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b"])
def test_a_name_is_needed(name: str) -> None:
    with pytest.raises(BadView, match="needs a name"):
        saved_views.save(name, "cost", {}, None)


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadView, match="too much"):
        saved_views.save("big", "sql", {"query": ["x" * 20_000]}, None)
    monkeypatch.setattr(saved_views, "MOST", 1)
    saved_views.save("one", "cost", {}, None)
    with pytest.raises(BadView, match="already"):
        saved_views.save("two", "cost", {}, None)


def test_a_broken_file_is_said_and_not_overwritten(home: Path) -> None:
    saved_views.file().write_text("{", encoding="utf-8")
    with pytest.raises(BadView, match="Mend or remove it"):
        saved_views.save("one", "cost", {}, None)
    assert saved_views.file().read_text(encoding="utf-8") == "{"
