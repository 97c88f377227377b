"""SWE-bench: predictions, and the harness's reports or summary where they are at hand.

A folder holds predictions, `logs/run_evaluation/RUN/MODEL/INSTANCE/report.json` and summaries; a file of predictions
stands alone. The index of a sample is in its `model_name_or_path` (`MODEL__s00012`), or else its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile
from store.importers import fields
from store.importers.records import (
    About,
    Fault,
    ImportedGroup,
    ImportedSample,
    ImportedVerdict,
    Item,
    ProblemName,
    Source,
)
from store.importers.sources import Placed, each, ending, first_byte, listed, members, records
from store.swebench_reports import ReportUnreadable, read_report, read_summary, sample_of

Verdict = tuple[str, str | None]


def looks_like(record: Any) -> bool:
    return isinstance(record, dict) and "instance_id" in record and "model_patch" in record


def predictions(path: Path) -> Iterator[Placed | Fault]:
    """The predictions of a file: JSON lines, a list, or an object by instance."""
    if ending(path) == ".json" and first_byte(path) == b"{":
        for key, value in members(path):
            yield (f"{path}[{key}]", value) if isinstance(value, dict) else Fault(f"{path}[{key}]: not a prediction.")
    else:
        yield from records(path)


def prediction_files(path: Path) -> list[Path]:
    """The files of predictions of a path."""
    if path.is_file():
        return [path]
    found = [file for file in listed(path, "*.jsonl", "*.json", "*.jsonl.gz") if "run_evaluation" not in file.parts]
    return [file for file in found if looks_like(_first(file))]


def _first(path: Path) -> Any:
    try:
        first = next(iter(predictions(path)), None)
    except BadFile:
        return None
    return first[1] if isinstance(first, tuple) else None


def describe(source: Source) -> About:
    """The model of the first prediction, or of the folder of reports."""
    files = prediction_files(source.path)
    if files:
        name = (_first(files[0]) or {}).get("model_name_or_path")
    else:
        name = next((path.parent.parent.name.replace("__", "/", 1) for path in _reports(source.path)), None)
    model = sample_of(name)[0] if isinstance(name, str) and name else None
    return About("swe-bench", benchmark="swebench", benchmark_format="swebench", model=model)


def _reports(path: Path) -> list[Path]:
    return listed(path, "report.json") if path.is_dir() else []


def read(source: Source) -> Iterator[Item]:
    files = prediction_files(source.path)
    if not files:
        return _patches(source)
    verdicts = _Verdicts(source)
    return each((one for file in files for one in predictions(file)), verdicts.group)


class _Verdicts:
    """Verdicts by (model key, instance): from per-instance reports, or else from a summary."""

    def __init__(self, source: Source) -> None:
        self._model: str | None = None
        folder = Path(source.options["reports"]) if "reports" in source.options else source.path
        self._reports = {(path.parent.parent.name, path.parent.name): path for path in _reports(folder)}
        named = [Path(source.options["summary"])] if "summary" in source.options else []
        self._summaries = {path.name: _summary(path) for path in named or _summary_files(folder)}

    def group(self, record: dict[str, Any], place: str) -> ImportedGroup:
        instance = fields.key(record, "instance_id", place)
        name = fields.key(record, "model_name_or_path", place)
        model, index = sample_of(name)
        if self._model not in (None, model):
            raise BadFile(
                f'{place}: predictions of "{model}" lie beside those of "{self._model}"; one run has one model.'
            )
        self._model = model
        patch = fields.maybe_text(record, "model_patch", place) or ""
        verdict = self._verdict(name, instance)
        sample = ImportedSample(patch, index, verdicts=[] if verdict is None else [verdict], field="model_patch")
        return ImportedGroup(place, ProblemName([instance]), [sample])

    def _verdict(self, name: str, instance: str) -> ImportedVerdict | None:
        folder = name.replace("/", "__")
        report = self._reports.get((folder, instance))
        if report is not None:
            return _told(report, instance)
        for file, verdicts in self._summaries.items():
            # A summary is MODEL.RUN.json; one that is named on its own is of whatever is imported.
            if (file.startswith(f"{folder}.") or len(self._summaries) == 1) and instance in verdicts:
                outcome, reason = verdicts[instance]
                return ImportedVerdict(outcome, reason)
        return None


def _summary_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.glob("*.json")) if _is_summary(path)]


def _is_summary(path: Path) -> bool:
    try:
        return first_byte(path) == b"{" and any(name == "resolved_ids" for name, _ in members(path))
    except BadFile:
        return False


def _summary(path: Path) -> dict[str, Verdict]:
    try:
        return read_summary(path)
    except ReportUnreadable as error:
        raise BadFile(str(error)) from error


def _told(path: Path, instance: str) -> ImportedVerdict | None:
    try:
        reports = {one.instance_id: one for one in read_report(path)}
    except ReportUnreadable as error:
        raise BadFile(str(error)) from error
    if instance not in reports:
        raise BadFile(f'{path}: says nothing of "{instance}", whose folder it lies in.')
    report = reports[instance]
    outcome, reason = report.verdict
    tests = {name: {"success": len(done), "failure": list(failed)} for name, (done, failed) in report.tests.items()}
    return ImportedVerdict(outcome, reason, detail={"tests_status": tests} if tests else None)


def _patches(source: Source) -> Iterator[Item]:
    """Where reports alone are left: the patch that lies beside each is the sample."""
    reports = _reports(source.path)
    if not reports:
        raise BadFile(f"{source.path}: holds neither predictions nor report.json files of SWE-bench.")
    for path in reports:
        instance = path.parent.name
        patch = path.parent / "patch.diff"
        try:
            verdict = _told(path, instance)
            text = patch.read_text(encoding="utf-8", errors="replace") if patch.is_file() else ""
        except BadFile as error:
            yield Fault(str(error))
            continue
        _, index = sample_of(path.parent.parent.name)
        sample = ImportedSample(text, index, verdicts=[verdict] if verdict else [], field="patch.diff")
        yield ImportedGroup(str(path), ProblemName([instance]), [sample])
