"""Costs that belong to no single sample, read from a file: the stages of a pipeline, shared context, machines.

Each line of the file is an object of JSON, or a row of CSV under a head, with the columns of `store.stage_costs`:
`stage`, and what it used (requests, five classes of tokens, device seconds) or its bill in US$; optionally the
problem's key, where a cost is not shared by all, and the model whose price counts.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from store.errors import PassatkError
from store.model_registry import find_model
from store.runs import Run
from store.tables import problems, stage_costs

COUNTS = (
    "requests", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip
AMOUNTS = (*COUNTS, "gpu_seconds", "usd")
_FIELDS = ("stage", "problem", "model", *AMOUNTS)
_LARGEST = 1e15

#: (stage, problem id, model id)
Place = tuple[str, int | None, int | None]


class BadStageCosts(PassatkError):
    """A file of stage costs that cannot be taken."""


def record_stage_costs(connection: sa.Connection, run: Run, file: Path) -> tuple[int, int]:
    """Store what the file says, lines of the same stage, problem and model added up: (stored, already there).

    All or nothing. What is there already with the same amounts is left; other amounts for it raise BadStageCosts, as do
    unknown fields, problems and models, and amounts that are no numbers, each with the file's line.
    """
    summed: dict[Place, dict[str, float]] = {}
    names = _Names(connection, run)
    for place, record in _records(file):
        key = _place(names, record, place)
        amounts = _amounts(record, place)
        held = summed.setdefault(key, {})
        for name, value in amounts.items():
            held[name] = held.get(name, 0) + value
    if not summed:
        raise BadStageCosts(f"{file} has no costs: give a line for each stage.")
    known = _stored(connection, run)
    fresh = [(key, amounts) for key, amounts in summed.items() if key not in known]
    for key, amounts in summed.items():
        if key in known and not _same(known[key], amounts):
            raise BadStageCosts(
                f'{file}: run {run.name} has other costs for stage "{key[0]}" already; what is stored is never '
                "changed: give a correction under a stage of its own, or another model or problem."
            )
    if fresh:
        rows = [
            dict.fromkeys(AMOUNTS)
            | amounts
            | {"run_id": run.run_id, "stage": stage, "problem_id": problem, "model_id": model}
            for (stage, problem, model), amounts in fresh
        ]
        connection.execute(sa.insert(stage_costs), rows)
    return len(fresh), len(summed) - len(fresh)


def _records(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            if file.suffix == ".csv":
                for number, row in enumerate(csv.DictReader(lines), 2):
                    yield f"{file}, line {number}", {k: v for k, v in row.items() if v != ""}
                return
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{file}, line {number}", _object(line, f"{file}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise BadStageCosts(f"{file} cannot be read: {error}.") from None


def _object(line: str, place: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise BadStageCosts(f"{place}: no JSON: {error}. A table of commas needs the ending .csv.") from None
    if not isinstance(record, dict):
        raise BadStageCosts(f"{place}: must be one JSON object.")
    return {name: value for name, value in record.items() if value is not None}


class _Names:
    """Keys of the models and problems that lines name, each asked for once: a file may have a line a request."""

    def __init__(self, connection: sa.Connection, run: Run) -> None:
        self.run = run
        columns = problems.c
        query = sa.select(columns.key, columns.problem_id).where(columns.benchmark_id == run.benchmark_id)
        self.problems: dict[str, int] = {row.key: row.problem_id for row in connection.execute(query)}
        self.model = cache(lambda name: find_model(connection, name).model_id)


def _place(names: _Names, record: Mapping[str, Any], place: str) -> Place:
    unknown = [str(name) for name in record if name not in _FIELDS]
    if unknown:
        raise BadStageCosts(f'{place}: unknown field "{unknown[0]}"; fields are {", ".join(_FIELDS)}.')
    stage = record.get("stage")
    if not isinstance(stage, str) or not stage.strip() or "\0" in stage:
        raise BadStageCosts(f'{place}: field "stage" must name a stage of the pipeline.')
    model = record.get("model")
    try:
        model_id = None if model is None else names.model(str(model))
    except PassatkError as error:
        raise BadStageCosts(f"{place}: {error}") from None
    return stage.strip(), _problem(names, record.get("problem"), place), model_id


def _problem(names: _Names, key: object, place: str) -> int | None:
    if key is None:
        return None
    if str(key) not in names.problems:
        raise BadStageCosts(f'{place}: run {names.run.name} has no problem "{key}".')
    return names.problems[str(key)]


def _amounts(record: Mapping[str, Any], place: str) -> dict[str, float]:
    found = {name: _number(record[name], name, place) for name in AMOUNTS if name in record}
    if not found:
        raise BadStageCosts(f"{place}: says nothing that costs: give one of {', '.join(AMOUNTS)}.")
    return found


def _number(value: object, name: str, place: str) -> float:
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    whole = name not in COUNTS or number == math.floor(number) if math.isfinite(number) else False
    if not whole or not 0 <= number < _LARGEST:
        kind = "a whole number" if name in COUNTS else "a number"
        raise BadStageCosts(f'{place}: field "{name}" must be {kind}, 0 or more, not {value!r}.')
    return int(number) if name in COUNTS else number


def _stored(connection: sa.Connection, run: Run) -> dict[Place, dict[str, float]]:
    columns = stage_costs.c
    rows = connection.execute(sa.select(stage_costs).where(columns.run_id == run.run_id)).mappings()
    return {
        (row["stage"], row["problem_id"], row["model_id"]): {
            name: float(row[name]) for name in AMOUNTS if row[name] is not None
        }
        for row in rows
    }


def _same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return one.keys() == other.keys() and all(math.isclose(one[name], other[name], rel_tol=1e-9) for name in one)
