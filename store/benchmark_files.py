"""Benchmark files: which format is read how, and which part of a file makes the benchmark."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from store import benchmark_formats
from store.benchmark_formats import BadFile, ProblemRecord
from store.benchmark_published import PUBLISHED
from store.importers.records import Fault
from store.importers.sources import listed, records, whole_json

#: format -> reader of one record. `parquet` is `jsonl` in another container.
FORMATS: dict[str, Callable[[dict[str, Any], str, int], ProblemRecord]] = {
    **benchmark_formats.FORMATS,
    "parquet": benchmark_formats.FORMATS["jsonl"],
    **PUBLISHED,
}
_PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.parquet", "*.json", "*.json.gz")


@dataclass(frozen=True)
class Selection:
    """Which problems of a file are taken: those named, or `limit` of them - the first, or drawn with a seed."""

    limit: int | None = None
    seed: int | None = None
    keys: tuple[str, ...] = ()

    def of(self, problems: Sequence[ProblemRecord], path: Path) -> list[ProblemRecord]:
        """The chosen problems, in the order of the file. Raises BadFile for keys that are not there."""
        if self.keys:
            missing = set(self.keys) - {problem.key for problem in problems}
            if missing:
                raise BadFile(f"{path}: has no problem {', '.join(sorted(missing)[:5])}, which --ids names.")
            return [problem for problem in problems if problem.key in self.keys]
        if self.limit is None:
            return list(problems)
        if not 1 <= self.limit <= len(problems):
            raise BadFile(f"{path}: holds {len(problems)} problems; give --limit 1 to that.")
        if self.seed is None:
            return list(problems[: self.limit])
        chosen = sorted(random.Random(self.seed).sample(range(len(problems)), self.limit))
        return [problems[place] for place in chosen]


def read_problems(path: Path, format_name: str, column_map: dict[str, str] | None = None) -> list[ProblemRecord]:
    """Every problem of a file or folder, in order.

    Raises `BadFile` for a bad record, a repeated id, or no problem at all.
    """
    problems: list[ProblemRecord] = []
    places: dict[str, str] = {}
    for place, problem in _read(path, format_name, column_map or {}):
        if problem.key in places:
            raise BadFile(f'{place}: id "{problem.key}" is there already, at {places[problem.key]}.')
        places[problem.key] = place
        problems.append(problem)
    if not problems:
        raise BadFile(f"{path}: holds no problem. Each line must be one problem in format {format_name}.")
    return problems


def _read(path: Path, format_name: str, column_map: dict[str, str]) -> Iterator[tuple[str, ProblemRecord]]:
    if format_name == "minif2f" and (path.suffix == ".lean" or (path.is_dir() and listed(path, "*.lean"))):
        yield from _lean(path)
        return
    parse = FORMATS[format_name]
    for position, (place, record) in enumerate(_records(path, format_name)):
        yield place, parse(_mapped(_plain(record), column_map), place, position)


def _records(path: Path, format_name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    files = listed(path, *_PATTERNS) if path.is_dir() else [path]
    if path.is_dir() and format_name == "math" and all(file.suffix == ".json" for file in files):
        # MATH as first published: a folder a subject, a file a problem; its path is its name.
        for file in files:
            yield str(file), {"unique_id": str(file.relative_to(path)), **whole_json(file)}
        return
    for file in files:
        for one in records(file):
            if isinstance(one, Fault):
                raise BadFile(one.message)
            yield one


def _lean(path: Path) -> Iterator[tuple[str, ProblemRecord]]:
    from store.lean_statements import header_of, theorem_record, theorems

    for file in listed(path, "*.lean"):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadFile(f"{file}: not readable text ({error}).") from error
        for theorem in theorems(text):
            yield f"{file}:{theorem.name}", theorem_record(theorem, theorem.name, header_of(text), {"file": file.name})


def _mapped(record: dict[str, Any], column_map: dict[str, str]) -> dict[str, Any]:
    """The record with the user's columns under the names that the format looks for."""
    if not column_map:
        return record
    taken = set(column_map.values())
    kept = {name: value for name, value in record.items() if name not in taken}
    return kept | {ours: record.get(theirs) for ours, theirs in column_map.items()}


def _plain(value: Any) -> Any:
    """A value as JSON has it: Parquet brings dates and bytes too."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
