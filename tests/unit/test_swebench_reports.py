"""Reports in the harness's shape: read, written, and turned into verdicts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from store import swebench_reports as reports


def _file(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(value))
    return path


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"resolved": True}, ("correct", None)),
        ({}, ("incorrect", "wrong_answer")),
        ({"patch_successfully_applied": False}, ("incorrect", "compile_error")),
        ({"patch_exists": False, "patch_successfully_applied": False}, ("incorrect", "no_answer")),
        ({"infra_failure": True, "infra_failure_reason": "image pull"}, ("undecided", "verifier_error")),
        ({"infra_failure": True, "resolved": True}, ("undecided", "verifier_error")),
    ],
)
def test_a_report_becomes_a_verdict(tmp_path: Path, change: dict, verdict: tuple) -> None:
    entry = {
        "patch_is_None": False,
        "patch_exists": True,
        "patch_successfully_applied": True,
        "resolved": False,
        "infra_failure": False,
        "tests_status": {"FAIL_TO_PASS": {"success": ["t::a"], "failure": ["t::b"]}},
    }
    [report] = reports.read_report(_file(tmp_path, {"django__django-1": entry | change}))
    assert report.verdict == verdict
    assert report.tests["FAIL_TO_PASS"] == (("t::a",), ("t::b",))


def test_what_is_written_is_read_back_the_same(tmp_path: Path) -> None:
    written = reports.graded("a__b-1", {"t::x": True, "t::y": False}, {"t::z": True})
    [read] = reports.read_report(_file(tmp_path, {"a__b-1": written.as_report()}))
    assert read.as_report() == written.as_report()
    assert (read.resolved, read.tests["FAIL_TO_PASS"]) == (False, (("t::x",), ("t::y",)))


def test_no_named_test_resolves_nothing() -> None:
    assert not reports.graded("a", {}, {"t::z": True}).resolved
    assert reports.graded("a", {"t": True}, {}).resolved


def test_a_summary(tmp_path: Path) -> None:
    value = {"resolved_ids": ["a"], "unresolved_ids": ["b"], "empty_patch_ids": ["c"], "error_ids": ["d"]}
    assert reports.read_summary(_file(tmp_path, value)) == {
        "a": ("correct", None),
        "b": ("incorrect", "wrong_answer"),
        "c": ("incorrect", "no_answer"),
        "d": ("undecided", "verifier_error"),
    }


@pytest.mark.parametrize(
    "value", [[], {"a": {}}, {"a": {"resolved": "yes"}}, {"a": {"resolved": True, "tests_status": {"FAIL_TO_PASS": 3}}}]
)
def test_what_is_no_report_is_refused_by_name(tmp_path: Path, value: object) -> None:
    with pytest.raises(reports.ReportUnreadable, match=r"report\.json"):
        reports.read_report(_file(tmp_path, value))


def test_each_sample_has_a_key_of_its_own() -> None:
    assert reports.sample_key("org/model", 7) == "org/model__s00007"
    assert reports.sample_of("org/model__s00007") == ("org/model", 7)
    assert reports.sample_of("org/model") == ("org/model", None)
    path = reports.report_path(Path("w"), "r1", "org/model__s00007", "a__b-1")
    assert str(path) == "w/logs/run_evaluation/r1/org__model__s00007/a__b-1/report.json"
