"""Pages that look into problems and rows, on a real snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.row_checks import ROW_CHECKS, RowCheck
from store.analytics import open_snapshot, run_sql
from tests.integration.test_dashboard_pages import BIG, mirror, page, quiet, seeded

__all__ = ["mirror", "quiet", "seeded"]


@pytest.mark.parametrize("check", ROW_CHECKS, ids=lambda check: check.name)
def test_rows_of_a_check_are_the_same_in_sql(mirror: Path, check: RowCheck) -> None:
    text = check.of(BIG)
    assert run_sql(text, mirror).row_count == len(open_snapshot(mirror).rows(text))


def test_health_looks_through_rows_when_asked(seeded: Path) -> None:
    test = page("health")
    assert not test.exception
    before = len(test.code)
    test.toggle(key="look through rows").set_value(True).run()
    assert not test.exception
    assert len(test.code) == before + len(ROW_CHECKS)


def test_problems_are_drawn_against_runs(seeded: Path) -> None:
    test = page("problems")
    assert not test.exception
    assert any("without a judged sample" in caption.value for caption in test.caption)
