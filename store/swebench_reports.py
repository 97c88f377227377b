"""Reports in the shape of the SWE-bench harness: read where somebody made them, written by our own runner.

A per-instance `report.json` is `{instance_id: {patch_is_None, patch_exists, patch_successfully_applied, resolved,
infra_failure, infra_failure_reason, tests_status}}`; `tests_status` holds, for each of FAIL_TO_PASS, PASS_TO_PASS,
FAIL_TO_FAIL and PASS_TO_FAIL, the lists `success` and `failure`. Only the keys named here are read; others are let be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store.errors import PassatkError

#: The transitions of the two kinds of tests that decide, and the two that are only told.
FAIL_TO_PASS, PASS_TO_PASS = "FAIL_TO_PASS", "PASS_TO_PASS"
TRANSITIONS = (FAIL_TO_PASS, PASS_TO_PASS, "FAIL_TO_FAIL", "PASS_TO_FAIL")

_SAMPLE_SUFFIX = re.compile(r"__s(\d{1,9})$")
_SUMMARY_LISTS = {
    "resolved_ids": ("correct", None),
    "unresolved_ids": ("incorrect", "wrong_answer"),
    "empty_patch_ids": ("incorrect", "no_answer"),
    "infra_failure_ids": ("undecided", "verifier_error"),
    "error_ids": ("undecided", "verifier_error"),
    "incomplete_ids": ("undecided", "verifier_error"),
}


class ReportUnreadable(PassatkError):
    """A SWE-bench report does not have the shape of one."""


@dataclass(frozen=True)
class InstanceReport:
    """How one patch fared on one issue. `tests` maps a transition to (passed, failed) test names."""

    instance_id: str
    patch_exists: bool
    patch_applied: bool
    resolved: bool
    infra_failure: str | None = None
    tests: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)

    @property
    def verdict(self) -> tuple[str, str | None]:
        """(outcome, reason) in passatk's words: a failure of the host is never the patch's."""
        if self.infra_failure is not None:
            return "undecided", "verifier_error"
        if self.resolved:
            return "correct", None
        if not self.patch_exists:
            return "incorrect", "no_answer"
        return ("incorrect", "wrong_answer") if self.patch_applied else ("incorrect", "compile_error")

    def as_report(self) -> dict[str, Any]:
        """The entry of a `report.json`."""
        status = {
            name: {"success": list(passed), "failure": list(failed)}
            for name, (passed, failed) in ((name, self.tests.get(name, ((), ()))) for name in TRANSITIONS)
        }
        report = {
            "patch_is_None": not self.patch_exists,
            "patch_exists": self.patch_exists,
            "patch_successfully_applied": self.patch_applied,
            "resolved": self.resolved,
            "infra_failure": self.infra_failure is not None,
            "tests_status": status,
        }
        if self.infra_failure is not None:
            report["infra_failure_reason"] = self.infra_failure
        return report


def graded(
    instance_id: str,
    fail_to_pass: Mapping[str, bool],
    pass_to_pass: Mapping[str, bool],
) -> InstanceReport:
    """The report of a patch that applied, from whether each named test passed: resolved when every one did."""
    tests = {name: _parted(results) for name, results in ((FAIL_TO_PASS, fail_to_pass), (PASS_TO_PASS, pass_to_pass))}
    resolved = bool(fail_to_pass) and all(fail_to_pass.values()) and all(pass_to_pass.values())
    return InstanceReport(instance_id, patch_exists=True, patch_applied=True, resolved=resolved, tests=tests)


def _parted(results: Mapping[str, bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        tuple(name for name, passed in results.items() if passed),
        tuple(name for name, passed in results.items() if not passed),
    )


def read_report(path: Path) -> list[InstanceReport]:
    """The instances of a per-instance `report.json`. Raises ReportUnreadable, naming the file."""
    value = _json_object(path)
    return [_instance(path, key, entry) for key, entry in value.items()]


def _instance(path: Path, key: str, entry: Any) -> InstanceReport:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("resolved"), bool):
        raise ReportUnreadable(
            f'{path}: "{key}" has no true or false under "resolved"; expected the report.json of the SWE-bench harness'
        )
    failed = bool(entry.get("infra_failure"))
    return InstanceReport(
        instance_id=key,
        patch_exists=bool(entry.get("patch_exists", not entry.get("patch_is_None", False))),
        patch_applied=bool(entry.get("patch_successfully_applied", entry["resolved"])),
        resolved=entry["resolved"],
        infra_failure=str(entry.get("infra_failure_reason") or "the harness names no reason") if failed else None,
        tests=_tests(path, key, entry.get("tests_status") or {}),
    )


def _tests(path: Path, key: str, status: Any) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    try:
        return {
            name: (tuple(map(str, lists.get("success", ()))), tuple(map(str, lists.get("failure", ()))))
            for name, lists in status.items()
            if name in TRANSITIONS
        }
    except (AttributeError, TypeError):
        raise ReportUnreadable(f'{path}: "tests_status" of "{key}" is not lists of tests by transition') from None


def read_summary(path: Path) -> dict[str, tuple[str, str | None]]:
    """(outcome, reason) by instance of a run's summary (`MODEL.RUN.json`, schema_version 2 and the one before)."""
    value = _json_object(path)
    if not isinstance(value.get("resolved_ids"), Sequence):
        raise ReportUnreadable(f'{path}: no list "resolved_ids"; expected the summary of a SWE-bench evaluation')
    verdicts: dict[str, tuple[str, str | None]] = {}
    for name, verdict in _SUMMARY_LISTS.items():
        for instance in value.get(name) or ():
            verdicts.setdefault(str(instance), verdict)
    return verdicts


def sample_key(model: str, sample_index: int) -> str:
    """`model_name_or_path` of one sample: the harness keys its results by it, so no sample overwrites another."""
    return f"{model}__s{sample_index:05d}"


def sample_of(model_name_or_path: str) -> tuple[str, int | None]:
    """The model and the sample's index of a key made by `sample_key`; None where it carries no index."""
    match = _SAMPLE_SUFFIX.search(model_name_or_path)
    return (model_name_or_path, None) if match is None else (model_name_or_path[: match.start()], int(match[1]))


def report_path(root: Path, run_id: str, model_name_or_path: str, instance_id: str) -> Path:
    """Where the harness leaves an instance's report below its working folder."""
    model = model_name_or_path.replace("/", "__")
    return root / "logs" / "run_evaluation" / run_id / model / instance_id / "report.json"


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportUnreadable(f"{path} cannot be read as a SWE-bench report: {error}") from None
    if not isinstance(value, dict):
        raise ReportUnreadable(f"{path} is no JSON object; expected a SWE-bench report")
    return value
