"""Runs: one model, prompt template, sampling parameters and stopping rule over a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.benchmarks import Benchmark
from store.errors import PassatkError
from store.fingerprint import SEED_ROOM, fingerprint
from store.model_registry import Model
from store.tables import benchmarks, models, runs


class RunUnknown(PassatkError):
    """No such run."""


class RunExists(PassatkError):
    """Another run has that name."""


class BadRun(PassatkError):
    """A run that cannot be."""


@dataclass(frozen=True)
class Sampling:
    """What decides the distribution a sample is drawn from, and its seed."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:
            raise BadRun(f"A temperature of {self.temperature} cannot be: give 0 to 100.")
        if not 0 < self.top_p <= 1:
            raise BadRun(f"A top-p of {self.top_p} cannot be: give more than 0 and at most 1.")
        if self.top_k < 0:
            raise BadRun(f"A top-k of {self.top_k} cannot be: give 0 (off) or more.")
        if self.max_tokens < 1:
            raise BadRun(f"At most {self.max_tokens} tokens leaves no completion: give --max-tokens 1 or more.")
        if "" in self.stop:
            raise BadRun("An empty stop text would end every completion at once: leave it out.")


@dataclass(frozen=True)
class Run:
    """A stored run."""

    run_id: int
    name: str
    benchmark_id: int
    model_id: int
    reference_verifier_id: int | None
    samples_per_problem: int | None
    prompt_template: str
    sampling: Mapping[str, Any]
    design: str
    source: str
    provenance: Mapping[str, Any]
    fingerprint: str
    state: str


@dataclass(frozen=True)
class NewRun:
    """A run to create."""

    name: str
    benchmark: Benchmark
    model: Model
    sampling: Mapping[str, Any]
    samples_per_problem: int | None = None
    prompt_template: str = "{prompt}"
    design: str = "fixed_n"
    source: str = "generated"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    reference_verifier_id: int | None = None

    @property
    def fingerprint(self) -> str:
        """Of everything that changes a sample; how many are drawn does not."""
        return fingerprint(
            self.benchmark.name,
            self.benchmark.version,
            self.model.name,  # where its folder lies on this machine changes no sample
            self.prompt_template,
            dict(self.sampling),
            self.source,
            # The same content in a file of another name is the same.
            {name: value for name, value in self.provenance.items() if name != "file"},
        )


_COLUMNS = [runs.c[name] for name in Run.__dataclass_fields__]


def sampling_values(sampling: Sampling) -> dict[str, Any]:
    """Sampling parameters as they are stored."""
    return asdict(sampling) | {"stop": list(sampling.stop)}


def create_run(connection: sa.Connection, new: NewRun) -> tuple[Run, bool]:
    """Store a run; returns it and whether it is new. The same run under its own name again changes nothing."""
    check_template(new.prompt_template)
    if not new.name.strip():
        raise BadRun("A run needs a name that is not empty.")
    if new.samples_per_problem is not None:
        _check_samples(new.samples_per_problem)
    values = {
        "name": new.name,
        "benchmark_id": new.benchmark.benchmark_id,
        "model_id": new.model.model_id,
        "reference_verifier_id": new.reference_verifier_id,
        "samples_per_problem": new.samples_per_problem,
        "prompt_template": new.prompt_template,
        "sampling": dict(new.sampling),
        "design": new.design,
        "source": new.source,
        "provenance": dict(new.provenance),
        "fingerprint": new.fingerprint,
    }
    statement = insert(runs).values(values).on_conflict_do_nothing(index_elements=["name"]).returning(runs.c.run_id)
    is_new = connection.execute(statement).scalar_one_or_none() is not None
    run = find_run(connection, new.name)
    if run.fingerprint != new.fingerprint:
        raise RunExists(
            f'Run "{new.name}" exists with another benchmark, model, prompt, sampling or file: choose another name.'
        )
    return run, is_new


def _check_samples(samples: int) -> None:
    if not 1 <= samples <= SEED_ROOM:
        raise BadRun(f"{samples} samples per problem cannot be: give --samples 1 to {SEED_ROOM}.")


def check_template(template: str) -> None:
    """A prompt template must have a place for the problem's prompt."""
    if "{prompt}" not in template:
        raise BadRun("The prompt template has no {prompt}: write it where the problem's prompt belongs.")


def rendered(template: str, prompt: str) -> str:
    """What the model is given. A plain replacement: braces elsewhere in the template are text."""
    return template.replace("{prompt}", prompt)


def find_run(connection: sa.Connection, name: str) -> Run:
    """The run called `name`."""
    row = connection.execute(sa.select(*_COLUMNS).where(runs.c.name == name)).one_or_none()
    if row is None:
        names = connection.scalars(sa.select(runs.c.name).order_by(runs.c.run_id.desc()).limit(10)).all()
        raise RunUnknown(f'No run "{name}"; ' + (f"there are: {', '.join(names)}." if names else "none is stored."))
    return Run(*row)


def run_by_id(connection: sa.Connection, run_id: int) -> Run:
    """The run with this key."""
    return Run(*connection.execute(sa.select(*_COLUMNS).where(runs.c.run_id == run_id)).one())


def raise_target(connection: sa.Connection, run: Run, samples: int) -> None:
    """Want more samples for each problem. Fewer than before is refused: stored samples are never taken away."""
    if run.samples_per_problem is None:
        raise BadRun(f'Run "{run.name}" was imported; only runs drawn here can be topped up.')
    if samples < run.samples_per_problem:
        raise BadRun(
            f'Run "{run.name}" wants {run.samples_per_problem} samples per problem already; {samples} would be fewer.'
        )
    _check_samples(samples)
    statement = sa.update(runs).where(runs.c.run_id == run.run_id).values(samples_per_problem=samples)
    connection.execute(statement)


def set_reference(connection: sa.Connection, run_id: int, verifier_id: int) -> None:
    """Take a verifier as the ground truth of a run."""
    statement = sa.update(runs).where(runs.c.run_id == run_id).values(reference_verifier_id=verifier_id)
    connection.execute(statement)


def list_runs(connection: sa.Connection) -> list[sa.Row[Any]]:
    """Every run: name, benchmark, model, samples wanted, state, source."""
    query = (
        sa.select(
            runs.c.name,
            (benchmarks.c.name + "@" + sa.cast(benchmarks.c.version, sa.Text)).label("benchmark"),
            models.c.name.label("model"),
            runs.c.samples_per_problem,
            runs.c.source,
            runs.c.state,
        )
        .join_from(runs, benchmarks)
        .join(models, models.c.model_id == runs.c.model_id)
        .order_by(runs.c.run_id)
    )
    return list(connection.execute(query))
