"""What a run is, in full, and runs made like another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from store.benchmarks import Benchmark
from store.runs import BadRun, NewRun, Run, create_run
from store.tables import benchmarks, engines, run_verifiers, runs, samples, verifiers
from store.verifier_registry import attach_verifier
from store.work import model_of


def settings_of(connection: sa.Connection, run: Run) -> dict[str, Any]:
    """Everything that decided a run's samples, and the engines that drew them, as plain values."""
    model, options = model_of(connection, run)
    benchmark = _benchmark(connection, run)
    few = run.prompting.get("few_shot")
    prompting = dict(run.prompting)
    if few:
        prompting["few_shot"] = {name: value for name, value in few.items() if name != "examples"}
    stored = connection.execute(sa.select(runs).where(runs.c.run_id == run.run_id)).mappings().one()
    return {
        "run": run.name,
        "run_id": run.run_id,
        "benchmark": f"{benchmark.name}@{benchmark.version}",
        "model": model.name,
        "location": model.location,
        "backend": model.backend,
        "engine_options": dict(options),
        "adapter": run.adapter,
        "prompt_template": run.prompt_template,
        "system_prompt": run.system_prompt,
        "prompting": prompting,
        "sampling": dict(run.sampling),
        "samples_per_problem": run.samples_per_problem,
        "design": run.design,
        "stopping": dict(run.stopping),
        "pilot_samples": run.pilot_samples,
        "budget_samples": run.budget_samples,
        "budget_usd": None if run.budget_usd is None else float(run.budget_usd),
        "budget_gpu_hours": None if run.budget_gpu_hours is None else float(run.budget_gpu_hours),
        "priority": stored["priority"],
        "verifiers": _verifiers(connection, run),
        "source": run.source,
        "provenance": dict(run.provenance),
        "state": run.state,
        "created_at": stored["created_at"].isoformat(),
        "fingerprint": run.fingerprint,
        "engines": _engines(connection, run),
    }


def _benchmark(connection: sa.Connection, run: Run) -> Benchmark:
    columns = [benchmarks.c[name] for name in Benchmark.__dataclass_fields__]
    return Benchmark(
        *connection.execute(sa.select(*columns).where(benchmarks.c.benchmark_id == run.benchmark_id)).one()
    )


def _verifiers(connection: sa.Connection, run: Run) -> list[str]:
    """Name and version of each; the reference first."""
    query = (
        sa.select(verifiers.c.name + "@" + verifiers.c.version)
        .join(run_verifiers, run_verifiers.c.verifier_id == verifiers.c.verifier_id)
        .where(run_verifiers.c.run_id == run.run_id)
        .order_by(verifiers.c.verifier_id != run.reference_verifier_id, verifiers.c.verifier_id)
    )
    return list(connection.scalars(query))


def _engines(connection: sa.Connection, run: Run) -> list[dict[str, Any]]:
    names = ("engine", "engine_version", "device", "model_revision", "tokenizer_hash", "chat_template_hash", "settings")
    drew = sa.select(samples.c.engine_id).where(samples.c.run_id == run.run_id).distinct()
    query = sa.select(*(engines.c[name] for name in names)).where(engines.c.engine_id.in_(drew))
    return [dict(row) for row in connection.execute(query.order_by(engines.c.engine_id)).mappings()]


def cloned(
    connection: sa.Connection, run: Run, name: str, sampling: Mapping[str, Any], samples_wanted: int | None
) -> tuple[Run, bool]:
    """A run like another with other sampling parameters, judged by the same verifiers; and whether it is new.

    Raises BadRun for a run that was drawn elsewhere.
    """
    if run.source != "generated" or run.samples_per_problem is None:
        raise BadRun(f'Run "{run.name}" was imported; only runs drawn here can be cloned.')
    wanted = samples_wanted or run.samples_per_problem
    model, _ = model_of(connection, run)
    new = NewRun(
        name=name,
        benchmark=_benchmark(connection, run),
        model=model,
        sampling=dict(sampling),
        samples_per_problem=wanted,
        prompt_template=run.prompt_template,
        reference_verifier_id=run.reference_verifier_id,
        stopping=run.rule if run.rule.rule == "fixed" else replace(run.rule, cap=wanted),
        budget=run.budget,
        system_prompt=run.system_prompt,
        adapter=run.adapter,
        prompting=dict(run.prompting),
    )
    created, is_new = create_run(connection, new)
    judged_by = sa.select(run_verifiers.c.verifier_id).where(run_verifiers.c.run_id == run.run_id)
    for verifier_id in connection.scalars(judged_by).all():
        attach_verifier(connection, created.run_id, verifier_id)
    return created, is_new
