"""Samples that others drew: read a file into a run, all of it or nothing, each record once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.benchmark_formats import BadFile
from store.benchmarks import Benchmark
from store.connection import transaction
from store.errors import PassatkError
from store.fingerprint import text_hash
from store.import_placing import Placer, SampleFile
from store.import_problems import NewProblems, problems_for
from store.import_report import ImportReport
from store.import_writing import ChunkWriter, PlacedSample, Target
from store.importers import FORMATS, detect
from store.importers.records import About
from store.importers.sources import content_hash, stem
from store.model_registry import ensure_model
from store.row_writing import storable_completion
from store.runs import NewRun, Run, RunExists, create_run, find_run, set_reference
from store.tables import imports, models, prompts, runs
from store.verifier_registry import ensure_verifier

#: Rows, and characters of their texts, held in memory at a time while a file of any length is read.
_CHUNK_ROWS = 20_000
_CHUNK_TEXT = 16_000_000


class ModelUnsaid(PassatkError):
    """A file does not say which model drew its samples."""


@dataclass(frozen=True)
class Imported:
    """What an import did. `problems`, `fewest` and `most` are of the whole run; `run` is None after a dry run."""

    run: Run | None
    run_name: str
    benchmark: Benchmark
    benchmark_is_new: bool
    format_name: str
    new_samples: int
    new_verdicts: int
    problems: int
    fewest: int
    most: int
    report: ImportReport


def import_samples(
    file: SampleFile,
    run_name: str | None = None,
    benchmark_label: str | None = None,
    model_name: str | None = None,
    dry: bool = False,
) -> Imported:
    """Store a file's samples, and the verdicts it carries, under a run.

    What is not said is taken from the file. The same file again changes nothing; a longer version of it adds what is
    new. With `dry` everything is read and counted and nothing is stored.
    """
    if not file.path.exists():
        raise BadFile(f"{file.path}: no such file.")
    if file.format_name == "auto":
        file = replace(file, format_name=detect(file.path))
    reader = FORMATS[file.format_name]
    about = reader.about(file.source)
    model = model_name or about.model
    if model is None and not dry:
        raise ModelUnsaid(f"{file.path}: does not say which model drew the samples; give it with --model.")
    benchmark = benchmark_label or about.benchmark or stem(file.path)
    with transaction() as connection:
        problems = problems_for(
            connection, benchmark, about.benchmark_format, file.path, carried=reader.carries_problems, dry=dry
        )
        job = _Import(connection, Placer(file, about, problems), run_name or stem(file.path))
        return job.counted() if model is None or dry else job.stored(model)


class _Import:
    """One import, within one transaction."""

    def __init__(self, connection: sa.Connection, placer: Placer, run_name: str) -> None:
        self.connection = connection
        self.placer = placer
        self.file = placer.file
        self.problems = placer.problems
        self.run_name = run_name
        self._verifiers: dict[str | None, int] = {}

    def counted(self) -> Imported:
        """Read everything and store nothing."""
        for _ in self.placer.placed(Counter()):
            pass
        self.placer.report.refuse_faults(self.file.path)
        return self._imported(None, 0, 0)

    def stored(self, model: str) -> Imported:
        """Read everything and store it under a run, new or known."""
        file_hash = content_hash(self.file.path)
        run, is_new = self._run(model, file_hash)
        if not is_new and self._seen_before(run, file_hash):
            return self._imported(run, 0, 0)
        import_id = self._begin(run, file_hash)
        writer = ChunkWriter(self.connection, Target(run.run_id, self.run_name, import_id, self.problems.keys))
        report = self.placer.report
        for chunk in _chunks(self.placer.placed(self._offsets(run))):
            if not report.fault_count:  # after a fault the file is only read on, for the report
                self._write(writer, chunk)
        report.refuse_faults(self.file.path)
        if not report.samples:
            raise BadFile(f"{self.file.path}: holds no sample.")
        self._finish(run, import_id)
        return self._imported(run, writer.written.samples, writer.written.verdicts)

    def _run(self, model_name: str, file_hash: str) -> tuple[Run, bool]:
        # Two imports into one run at once: the second waits and adds what is new.
        self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(727276, sa.func.hashtext(self.run_name))))
        if self.connection.scalar(sa.select(runs.c.run_id).where(runs.c.name == self.run_name)) is not None:
            return self._known_run(model_name), False
        about: About = self.placer.about
        provenance = {
            "file": self.file.path.name,
            "sha256": file_hash,
            "format": self.file.format_name,
            "stop_words": list(self.file.stop_words),
        }
        new = NewRun(
            name=self.run_name,
            benchmark=self.problems.benchmark,
            model=ensure_model(self.connection, model_name, backend="none"),
            sampling=dict(about.sampling),
            source="imported",
            provenance=provenance | {name: value for name, value in about.tags.items() if value is not None},
        )
        return create_run(self.connection, new)

    def _known_run(self, model_name: str) -> Run:
        run = find_run(self.connection, self.run_name)
        drawn_by = self.connection.scalar(sa.select(models.c.name).where(models.c.model_id == run.model_id))
        same = {
            "source": run.source == "imported",
            "benchmark": run.benchmark_id == self.problems.benchmark.benchmark_id,
            "model": drawn_by == model_name,
            "stop words": run.provenance.get("stop_words", []) == list(self.file.stop_words),
        }
        differs = [what for what, is_same in same.items() if not is_same]
        if differs:
            raise RunExists(f'Run "{run.name}" exists with another {" and ".join(differs)}: choose another name.')
        return run

    def _seen_before(self, run: Run, file_hash: str) -> bool:
        columns = imports.c
        same = (columns.run_id == run.run_id, columns.format == self.file.format_name, columns.file_hash == file_hash)
        return self.connection.scalar(sa.select(columns.import_id).where(*same)) is not None

    def _begin(self, run: Run, file_hash: str) -> int:
        options: dict[str, Any] = dict(self.file.options)
        options |= {"append": True} if self.file.append else {}
        options |= {"tokenizer": self.file.tokenizer.name} if self.file.tokenizer else {}
        statement = sa.insert(imports).values(
            run_id=run.run_id,
            format=self.file.format_name,
            tool=f"{self.placer.about.tool}@{self.placer.version}",
            file=str(self.file.path),
            file_hash=file_hash,
            records=0,
            options=options,
        )
        return int(self.connection.execute(statement.returning(imports.c.import_id)).scalar_one())

    def _offsets(self, run: Run) -> Counter[int]:
        if not self.file.append:
            return Counter()
        query = sa.text("SELECT problem_id, max(sample_index) + 1 FROM store.samples WHERE run_id = :run GROUP BY 1")
        return Counter({row[0]: row[1] for row in self.connection.execute(query, {"run": run.run_id})})

    def _write(self, writer: ChunkWriter, chunk: list[PlacedSample]) -> None:
        parts = {verdict.part for placed in chunk for verdict in placed.sample.verdicts}
        for part in sorted(parts - set(self._verifiers), key=str):
            row = ensure_verifier(self.connection, self.placer.verifier_name(part), self.placer.version)
            self._verifiers[part] = row.verifier_id
        writer.write(chunk, self._verifiers)

    def _finish(self, run: Run, import_id: int) -> None:
        self.problems.finish(self.connection)
        records = self.placer.report.records
        self.connection.execute(sa.update(imports).where(imports.c.import_id == import_id).values(records=records))
        self._write_prompts(run)
        problems, fewest, most = _counts(self.connection, run)
        # Where some problems have fewer, nobody told why: whether outcomes decided it is not known.
        whole = fewest == most and problems == self.problems.benchmark.problem_count
        known = whole and not self.placer.about.stopped_early
        values = {"design": "fixed_n" if known else "unknown", "stopping": {"rule": "fixed" if known else "unknown"}}
        self.connection.execute(sa.update(runs).where(runs.c.run_id == run.run_id).values(values))
        reference = self._verifiers.get(self.placer.about.reference, next(iter(self._verifiers.values()), None))
        if reference is not None and run.reference_verifier_id is None:
            set_reference(self.connection, run.run_id, reference)

    def _write_prompts(self, run: Run) -> None:
        texts = {problem: storable_completion(text) for problem, text in self.placer.prompts.items()}
        rows = [
            {"run_id": run.run_id, "problem_id": problem, "prompt_hash": text_hash(text), "prompt": text}
            for problem, text in texts.items()
        ]
        if rows:
            self.connection.execute(insert(prompts).on_conflict_do_nothing(), rows)

    def _imported(self, run: Run | None, samples: int, verdicts: int) -> Imported:
        report = self.placer.report
        in_file = (len(report.per_problem), report.fewest, report.most)
        counts = in_file if run is None else _counts(self.connection, run)
        return Imported(
            run,
            self.run_name,
            self.problems.benchmark,
            isinstance(self.problems, NewProblems),
            self.file.format_name,
            samples,
            verdicts,
            *counts,
            report,
        )


def _counts(connection: sa.Connection, run: Run) -> tuple[int, int, int]:
    row = connection.execute(
        sa.text(
            "SELECT count(*), coalesce(min(n), 0), coalesce(max(n), 0) FROM "
            "(SELECT count(*) AS n FROM store.samples WHERE run_id = :run GROUP BY problem_id) AS counted"
        ),
        {"run": run.run_id},
    ).one()
    return row[0], row[1], row[2]


def _chunks(placed: Iterator[PlacedSample]) -> Iterator[list[PlacedSample]]:
    chunk: list[PlacedSample] = []
    held = 0
    for one in placed:
        chunk.append(one)
        held += len(one.completion)
        if len(chunk) >= _CHUNK_ROWS or held >= _CHUNK_TEXT:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
