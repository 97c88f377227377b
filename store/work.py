"""What a worker reads before it draws or judges a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.batches import Batch
from store.fingerprint import base_seed, fingerprint
from store.model_registry import Model
from store.prompting import Rendered, examples_for, render_prompt
from store.runs import Run, run_by_id
from store.samples import sample_seeds
from store.tables import benchmarks, engines, models, problems


@dataclass(frozen=True)
class ProblemRow:
    """A stored problem."""

    problem_id: int
    key: str
    prompt: str
    reference_answer: str | None
    tests: str | None
    entry_point: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class DrawOrder:
    """Everything needed to draw a batch: what is asked, one seed a sample, the sampling parameters, the model."""

    run: Run
    problem_key: str
    asked: Rendered
    seeds: tuple[int, ...]
    sampling: Mapping[str, Any]
    model: Model
    engine_options: Mapping[str, Any]


def problem_row(connection: sa.Connection, problem_id: int) -> ProblemRow:
    """The problem with this key."""
    columns = [problems.c[name] for name in ProblemRow.__dataclass_fields__]
    return ProblemRow(*connection.execute(sa.select(*columns).where(problems.c.problem_id == problem_id)).one())


def problem_rows(connection: sa.Connection, benchmark_id: int) -> list[ProblemRow]:
    """The problems of a benchmark, in order."""
    columns = [problems.c[name] for name in ProblemRow.__dataclass_fields__]
    query = sa.select(*columns).where(problems.c.benchmark_id == benchmark_id).order_by(problems.c.position)
    return [ProblemRow(*row) for row in connection.execute(query)]


def draw_order(connection: sa.Connection, batch: Batch) -> DrawOrder:
    """What to ask of the engine for a batch. Seeds depend on run, problem and index alone, so a repeat is the same."""
    return draw_orders(connection, [batch])[0]


def draw_orders(connection: sa.Connection, batches_to_draw: Sequence[Batch]) -> list[DrawOrder]:
    """The same for several batches, with a query for each kind of row and not for each batch."""
    runs_asked = {run_id: run_by_id(connection, run_id) for run_id in {batch.run_id for batch in batches_to_draw}}
    models_asked = {run_id: model_of(connection, run) for run_id, run in runs_asked.items()}
    problems_asked = _problem_rows(connection, {batch.problem_id for batch in batches_to_draw})
    return [
        _draw_order(batch, runs_asked[batch.run_id], problems_asked[batch.problem_id], *models_asked[batch.run_id])
        for batch in batches_to_draw
    ]


def _draw_order(batch: Batch, run: Run, problem: ProblemRow, model: Model, options: Mapping[str, Any]) -> DrawOrder:
    base = base_seed(run.fingerprint, problem.key, int(run.sampling["seed"]))
    return DrawOrder(
        run=run,
        problem_key=problem.key,
        asked=render_prompt(run, problem, examples_for(run.prompting, problem)),
        seeds=sample_seeds(base, batch.indexes),
        sampling=run.sampling,
        model=model,
        engine_options=options,
    )


def _problem_rows(connection: sa.Connection, problem_ids: Collection[int]) -> dict[int, ProblemRow]:
    columns = [problems.c[name] for name in ProblemRow.__dataclass_fields__]
    rows = connection.execute(sa.select(*columns).where(problems.c.problem_id.in_(problem_ids)))
    return {row.problem_id: ProblemRow(*row) for row in rows}


def model_of(connection: sa.Connection, run: Run) -> tuple[Model, Mapping[str, Any]]:
    """A run's model and the options handed to its engine."""
    columns = models.c
    row = connection.execute(
        sa.select(columns.model_id, columns.name, columns.location, columns.backend, columns.options).where(
            columns.model_id == run.model_id
        )
    ).one()
    return Model(row.model_id, row.name, row.location, row.backend), row.options


def prompts_of(connection: sa.Connection, run: Run) -> list[tuple[str, Rendered]]:
    """(problem key, what is asked) of every problem of a run's benchmark, in order."""
    return [
        (problem.key, render_prompt(run, problem, examples_for(run.prompting, problem)))
        for problem in problems_of(connection, run.benchmark_id)
    ]


def problems_of(connection: sa.Connection, benchmark_id: int) -> list[ProblemRow]:
    """The problems of a benchmark, in order."""
    columns = [problems.c[name] for name in ProblemRow.__dataclass_fields__]
    query = sa.select(*columns).where(problems.c.benchmark_id == benchmark_id).order_by(problems.c.position)
    return [ProblemRow(*row) for row in connection.execute(query)]


def benchmark_format(connection: sa.Connection, benchmark_id: int) -> str:
    """The format a benchmark was imported from; its usual verifier follows from it."""
    query = sa.select(benchmarks.c.format).where(benchmarks.c.benchmark_id == benchmark_id)
    return str(connection.execute(query).scalar_one())


def ensure_engine(connection: sa.Connection, identity: Mapping[str, Any]) -> int:
    """The key of an engine's row, written when it is new.

    `identity` has engine, engine_version, model_revision, tokenizer_hash and device, and, where they are known,
    chat_template_hash and settings (JSON).
    """
    mark = fingerprint(dict(identity))
    connection.execute(insert(engines).values(**identity, fingerprint=mark).on_conflict_do_nothing())
    return int(connection.execute(sa.select(engines.c.engine_id).where(engines.c.fingerprint == mark)).scalar_one())
