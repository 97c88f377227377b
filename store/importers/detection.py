"""Which format a file is in, by its name and its first record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile
from store.importers import humaneval, monkeys, plain
from store.importers.records import Fault
from store.importers.sources import ending, records


def detected(path: Path) -> str | None:
    """The name of the format, or None where it is not plain to see."""
    return _folder(path) if path.is_dir() else _file(path)


def _folder(path: Path) -> str | None:
    if any(path.glob("*.yaml")) or any(path.glob("*.yml")):
        return "monkeys-yaml"
    return None


def _file(path: Path) -> str | None:
    if ending(path) in (".yaml", ".yml"):
        return "monkeys-yaml"
    record = _first_record(path)
    return None if record is None else _by_record(record, ending(path))


def _by_record(record: Mapping[str, Any], suffix: str) -> str | None:
    if monkeys.looks_like(record):
        return "monkeys-json"
    if "samples" in record and ("prompt" in record or "task_id" in record):
        return "codet"
    if humaneval.looks_like(record):
        return "humaneval"
    if plain.looks_like(record):
        return "parquet" if suffix == ".parquet" else "jsonl"
    return None


def _first_record(path: Path) -> Mapping[str, Any] | None:
    try:
        first = next(iter(records(path)), None)
    except BadFile:
        return None
    return None if first is None or isinstance(first, Fault) else first[1]
