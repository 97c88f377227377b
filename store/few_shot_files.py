"""Examples for prompts, from a benchmark's training split that the user gives; none is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from store.benchmark_files import read_problems
from store.benchmark_formats import BadFile, ProblemRecord
from store.benchmarks import Benchmark
from store.fingerprint import file_hash
from store.prompting import Example, few_shot
from store.tables import problems


def read_examples(path: Path, format_name: str) -> list[Example]:
    """The solved problems of a training file, in order. Raises BadFile where none of them has a solution to show."""
    found = [(record, _solution(record)) for record in read_problems(path, format_name)]
    examples = [Example(record.prompt, solution) for record, solution in found if solution]
    if not examples:
        raise BadFile(f"{path}: none of its {len(found)} problems has a solution to show as an example.")
    return examples


def _solution(record: ProblemRecord) -> str | None:
    """How a problem is solved, as an example shows it: a program, a worked solution, or the answer alone."""
    solutions = record.metadata.get("solutions")
    if isinstance(solutions, Mapping):
        # As the paper: ASCII programs in Python 3.
        return next((text.strip() for text in solutions.get("solution") or [] if text.isascii()), None)
    worked = record.metadata.get("solution")
    return worked if isinstance(worked, str) and worked else record.reference_answer


def few_shot_from_file(
    connection: sa.Connection, benchmark: Benchmark, path: Path, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The stored form of few-shot settings over a training file of the benchmark's format."""
    columns = problems.c
    query = sa.select(columns.key, columns.prompt).where(columns.benchmark_id == benchmark.benchmark_id)
    posed = connection.execute(query.order_by(columns.position)).all()
    source = {"file": path.name, "hash": file_hash(path)} if path.is_file() else {"file": path.name}
    return few_shot(read_examples(path, benchmark.format), posed, settings, source)
