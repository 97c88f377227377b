"""EvalPlus: samples `{"task_id", "solution"}`, folders `HumanEval_0/0.py`, and results with a base and a plus verdict.

A sample is right by `plus` only when it passes both sets of tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    judged,
)
from store.importers.sources import each, first_byte, lines, listed, members, values

RESULTS = ("eval_results.json", "_eval_results.json")


def is_results(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(RESULTS)


def describe(source: Source) -> About:
    tags = {}
    if source.path.is_file() and is_results(source.path):
        tags = {name: next(iter(values(source.path, name)), None) for name in ("date", "hash")}
    return About("evalplus", benchmark_format="humaneval+", reference="plus", tags=tags)


def read(source: Source) -> Iterator[Item]:
    """Results, a folder of programs, or lines of samples; which one is told by the path."""
    path = source.path
    if path.is_dir():
        return _folder(path)
    if is_results(path) or (path.suffix == ".json" and first_byte(path) == b"{"):
        return _results(path)
    return each(lines(path), _sample)


def _sample(record: dict[str, Any], place: str) -> ImportedGroup:
    name = fields.first_of(record, ("solution", "completion"), place)
    sample = ImportedSample(fields.text(record, name, place), field=name)
    return ImportedGroup(place, ProblemName(keys=[fields.key(record, "task_id", place)]), [sample])


def _folder(folder: Path) -> Iterator[Item]:
    found = [path for path in listed(folder, "*.py") if path.stem.isdigit()]
    if not found:
        raise BadFile(f"{folder}: holds no program as EvalPlus names them, such as HumanEval_0/0.py.")
    for path in sorted(found, key=lambda path: (path.parent.name, int(path.stem))):
        head, _, number = path.parent.name.rpartition("_")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            yield Fault(f"{path}: not readable text ({error}).")
            continue
        name = ProblemName(keys=[f"{head}/{number}" if head else path.parent.name])
        yield ImportedGroup(str(path), name, [ImportedSample(text, index=int(path.stem), field="program")])


def _results(path: Path) -> Iterator[Item]:
    for task_id, entries in members(path, "eval"):
        place = f"{path}[{task_id}]"
        try:
            if not isinstance(entries, list):
                raise fields.wrong(task_id, place, "a list of results")
            yield ImportedGroup(place, ProblemName(keys=[task_id]), [_judged(one, place) for one in entries])
        except BadFile as error:
            yield Fault(str(error))


def _judged(entry: Any, place: str) -> ImportedSample:
    if not isinstance(entry, dict):
        raise BadFile(f"{place}: each result must be an object.")
    base = fields.maybe_text(entry, "base_status", place)
    plus = fields.maybe_text(entry, "plus_status", place)
    verdicts = []
    if base is not None:
        verdicts.append(_verdict("base", (base,), entry, place))
    if base is not None and plus is not None:
        verdicts.append(_verdict("plus", (base, plus), entry, place))
    return ImportedSample(fields.text(entry, "solution", place), verdicts=verdicts, field="solution")


def _verdict(part: str, statuses: tuple[str, ...], entry: Mapping[str, Any], place: str) -> ImportedVerdict:
    for status in statuses:
        if status not in ("pass", "fail", "timeout"):
            raise fields.wrong(f"{part}_status", place, '"pass", "fail" or "timeout"')
    reason = "wall_time" if "timeout" in statuses else "wrong_answer"
    failing = entry.get(f"{part}_fail_tests")
    detail = {"fail_tests": failing[:3]} if isinstance(failing, list) and failing else None
    return judged(all(status == "pass" for status in statuses), reason=reason, part=part, detail=detail)
