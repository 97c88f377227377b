"""Samples that others drew: read a file into a run of its own, all of it or nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from store.batches import mark_done
from store.benchmark_formats import BadFile
from store.benchmarks import Benchmark, find_benchmark
from store.connection import transaction
from store.fingerprint import file_hash
from store.model_registry import ensure_model
from store.runs import NewRun, Run, create_run
from store.sample_formats import ImportedGroup, ImportedSample, cut_at_stop_words, read_samples
from store.samples import SampleRow, write_samples
from store.tables import batches, problems, runs

#: Rows held in memory at a time while a file of any length is read.
_CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class SampleFile:
    """A file of samples and how to read it."""

    path: Path
    format_name: str
    stop_words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """What an import did: samples that were new, problems that have any, fewest and most samples of a problem."""

    run: Run
    new_samples: int
    problems: int
    fewest: int
    most: int


@dataclass(frozen=True)
class _Placed:
    problem_id: int
    first_index: int
    samples: Sequence[ImportedSample]


def import_samples(file: SampleFile, run_name: str, benchmark_label: str, model_name: str) -> Imported:
    """Store a file's samples under a run. The same file again changes nothing; another file needs another run name."""
    with transaction() as connection:
        benchmark = find_benchmark(connection, benchmark_label)
        run, is_new = _run_for(connection, file, run_name, benchmark, model_name)
        if not is_new:
            return _counts(connection, run, 0)
        written = 0
        for chunk in _chunks(_placed(connection, file, benchmark)):
            written += _write(connection, run, chunk, file.stop_words)
        imported = _counts(connection, run, written)
        if not written:
            raise BadFile(f"{file.path}: holds no sample.")
        if imported.fewest != imported.most or imported.problems != benchmark.problem_count:
            # Nobody told why some problems have fewer: whether outcomes decided it is not known.
            connection.execute(sa.update(runs).where(runs.c.run_id == run.run_id).values(design="unknown"))
        return imported


def _run_for(
    connection: sa.Connection, file: SampleFile, name: str, benchmark: Benchmark, model_name: str
) -> tuple[Run, bool]:
    if not file.path.is_file():
        raise BadFile(f"{file.path}: no such file.")
    new = NewRun(
        name=name,
        benchmark=benchmark,
        model=ensure_model(connection, model_name, backend="none"),
        sampling={},
        source="imported",
        provenance={
            "file": file.path.name,
            "sha256": file_hash(file.path),
            "format": file.format_name,
            "stop_words": list(file.stop_words),
        },
    )
    return create_run(connection, new)


def _placed(connection: sa.Connection, file: SampleFile, benchmark: Benchmark) -> Iterator[_Placed]:
    columns = problems.c
    query = sa.select(columns.key, columns.prompt, columns.problem_id)
    rows = connection.execute(query.where(columns.benchmark_id == benchmark.benchmark_id)).all()
    by_key = {row.key: row.problem_id for row in rows}
    by_prompt: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        by_prompt[row.prompt].append(row.problem_id)
    seen: dict[int, int] = defaultdict(int)
    for group in read_samples(file.path, file.format_name):
        found = by_prompt.get(group.prompt or "", []) if group.key is None else [by_key.get(group.key)]
        if len(found) > 1:
            raise BadFile(f'{group.place}: several problems have this prompt; say which one as "task_id".')
        problem_id = found[0] if found else None
        if problem_id is None:
            raise BadFile(_unknown_problem(group, benchmark))
        if group.samples:
            yield _Placed(problem_id, seen[problem_id], group.samples)
            seen[problem_id] += len(group.samples)


def _unknown_problem(group: ImportedGroup, benchmark: Benchmark) -> str:
    named = f'problem "{group.key}"' if group.key is not None else "problem with this prompt"
    return f"{group.place}: benchmark {benchmark.label} has no {named}; import the benchmark these samples are of."


def _chunks(groups: Iterator[_Placed]) -> Iterator[list[_Placed]]:
    chunk: list[_Placed] = []
    rows = 0
    for group in groups:
        chunk.append(group)
        rows += len(group.samples)
        if rows >= _CHUNK_ROWS:
            yield chunk
            chunk, rows = [], 0
    if chunk:
        yield chunk


def _write(connection: sa.Connection, run: Run, chunk: list[_Placed], stop_words: Sequence[str]) -> int:
    values = [
        {
            "run_id": run.run_id,
            "problem_id": group.problem_id,
            "first_index": group.first_index,
            "end_index": group.first_index + len(group.samples),
        }
        for group in chunk
    ]
    statement = sa.insert(batches).returning(batches.c.batch_id, sort_by_parameter_order=True)
    batch_ids = connection.scalars(statement, values).all()
    rows = (
        SampleRow(
            run_id=run.run_id,
            problem_id=group.problem_id,
            sample_index=group.first_index + offset,
            batch_id=batch_id,
            completion=cut_at_stop_words(sample.completion, stop_words),
            prompt_tokens=sample.prompt_tokens,
            # A cut completion has fewer tokens than the file says; how many is not known.
            completion_tokens=None if stop_words else sample.completion_tokens,
            finish_reason=sample.finish_reason,
        )
        for batch_id, group in zip(batch_ids, chunk, strict=True)
        for offset, sample in enumerate(group.samples)
    )
    written = write_samples(connection, rows)
    mark_done(connection, {batch_id: written.get(batch_id, 0) for batch_id in batch_ids})
    return sum(written.values())


def _counts(connection: sa.Connection, run: Run, new_samples: int) -> Imported:
    row = connection.execute(
        sa.text(
            "SELECT count(*), coalesce(min(n), 0), coalesce(max(n), 0) FROM "
            "(SELECT count(*) AS n FROM store.samples WHERE run_id = :run GROUP BY problem_id) AS counted"
        ),
        {"run": run.run_id},
    ).one()
    return Imported(run, new_samples, *row)
