"""Which format a file or folder is in, by its name and its first record."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile
from store.importers import (
    evalplus,
    humaneval,
    lighteval,
    livecodebench,
    lm_eval,
    monkeys,
    nemo_skills,
    openai_batch,
    plain,
    search_and_learn,
    swebench,
    verifiers_rollouts,
    weaver,
)
from store.importers.records import Fault
from store.importers.sources import ending, first_byte, records

#: Asked in this order: a format that another one's marks would fit too comes first.
_MARKS: list[tuple[str, Callable[[Mapping[str, Any]], bool]]] = [
    ("lm-eval", lm_eval.looks_like),
    ("lighteval", lighteval.looks_like),
    ("weaver", weaver.looks_like),
    ("search-and-learn", search_and_learn.looks_like),
    ("verifiers", verifiers_rollouts.looks_like),
    ("openai-batch", openai_batch.looks_like),
    ("swebench", swebench.looks_like),
    ("livecodebench", livecodebench.looks_like),
    ("monkeys-json", monkeys.looks_like),
    ("codet", lambda record: "samples" in record and ("prompt" in record or "task_id" in record)),
    ("humaneval", humaneval.looks_like),
    ("evalplus", lambda record: "task_id" in record and "solution" in record),
]


def detected(path: Path) -> str | None:
    """The name of the format, or None where it is not plain to see."""
    return _folder(path) if path.is_dir() else _file(path)


def _folder(path: Path) -> str | None:
    if nemo_skills.looks_like(path):
        return "nemo-skills"
    if any(path.glob("*.yaml")) or any(path.glob("*.yml")) or monkeys.looks_like_folder(path):
        return "monkeys-yaml"
    if any(path.glob("samples_*.jsonl*")):
        return "lm-eval"
    if any(path.glob("details_*.parquet")):
        return "lighteval"
    if any((path / name).is_file() for name in ("results.jsonl", "traces.jsonl")):
        return "verifiers"
    if any(path.glob("generations*.json")):
        return "bigcode"
    if any(one.stem.isdigit() for one in path.glob("*_*/*.py")):
        return "evalplus"
    if any(path.rglob("report.json")) or swebench.prediction_files(path):
        return "swebench"
    return next((found for file in sorted(path.glob("*.*")) if (found := _inside(file)) is not None), None)


def _inside(file: Path) -> str | None:
    """The format of a folder by one of its files, where the format has folders."""
    found = _file(file) if file.is_file() else None
    return found if found in ("weaver", "openai-batch") else None


def _file(path: Path) -> str | None:
    if ending(path) in (".yaml", ".yml"):
        return "monkeys-yaml"
    if path.suffix == ".eval" or zipfile.is_zipfile(path):
        return "inspect"
    if evalplus.is_results(path):
        return "evalplus"
    if nemo_skills.looks_like(path):
        return "nemo-skills"
    record = _first_record(path)
    if record is None:
        return "bigcode" if path.name.startswith("generations") else None
    for name, has_marks in _MARKS:
        if has_marks(record):
            return name
    if plain.looks_like(record):
        return "parquet" if ending(path) == ".parquet" else "jsonl"
    return None


def _first_record(path: Path) -> Mapping[str, Any] | None:
    try:
        if ending(path) == ".json" and first_byte(path) == b"{":
            first = next(iter(swebench.predictions(path)), None)
        else:
            first = next(iter(records(path, lenient=True)), None)
    except BadFile:
        return None
    return None if first is None or isinstance(first, Fault) else first[1]
