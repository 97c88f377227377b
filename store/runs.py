"""Runs: one model, prompt template, sampling parameters and stopping rule over a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.benchmarks import Benchmark
from store.errors import PassatkError
from store.fingerprint import SEED_ROOM, fingerprint
from store.model_registry import Model
from store.prompting import BadPrompting
from store.stopping import Budget, Stopping, stopping_of
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
    stopping: Mapping[str, Any] = field(default_factory=lambda: {"rule": "fixed"})
    pilot_samples: int | None = None
    budget_samples: int | None = None
    budget_usd: Decimal | None = None
    budget_gpu_hours: Decimal | None = None
    system_prompt: str | None = None
    adapter: str | None = None
    prompting: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rule(self) -> Stopping:
        """When its problems have had enough."""
        return stopping_of({"cap": self.samples_per_problem, **self.stopping})

    @property
    def budget(self) -> Budget:
        """What it may take in all."""
        return Budget(self.budget_samples, self.budget_usd, self.budget_gpu_hours)

    @property
    def stepwise(self) -> bool:
        """Whether it is planned a step at a time, by what its samples were or cost so far."""
        return self.stopping["rule"] != "fixed" or bool(self.budget)


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
    stopping: Stopping = field(default_factory=Stopping)
    budget: Budget = field(default_factory=Budget)
    system_prompt: str | None = None
    adapter: str | None = None
    prompting: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Of everything that changes a sample; how many are drawn, and what is kept of them, does not."""
        return fingerprint(
            self.benchmark.name,
            self.benchmark.version,
            self.model.name,  # where its folder lies on this machine changes no sample
            self.prompt_template,
            {name: value for name, value in self.sampling.items() if name != "token_logprobs"},
            self.source,
            # The same content in a file of another name is the same.
            {name: value for name, value in self.provenance.items() if name != "file"},
            # Left out where it says nothing: a run without these draws what it drew before they were known.
            *filter(None, [self._asked_in_other_ways()]),
        )

    def _asked_in_other_ways(self) -> dict[str, Any]:
        prompting = {name: value for name, value in self.prompting.items() if name != "preset" and value}
        if "few_shot" in prompting:
            prompting["few_shot"] = {name: value for name, value in prompting["few_shot"].items() if name != "file"}
        ways = {"system_prompt": self.system_prompt, "adapter": self.adapter, "prompting": prompting}
        return {name: value for name, value in ways.items() if value}


_COLUMNS = [runs.c[name] for name in Run.__dataclass_fields__]


def sampling_values(sampling: Sampling) -> dict[str, Any]:
    """Sampling parameters as they are stored."""
    return asdict(sampling) | {"stop": list(sampling.stop)}


def create_run(connection: sa.Connection, new: NewRun) -> tuple[Run, bool]:
    """Store a run; returns it and whether it is new. The same run under its own name again changes nothing."""
    check_template(new.prompt_template)
    if not new.name.strip():
        raise BadRun("A run needs a name that is not empty.")
    if new.system_prompt and not new.prompting.get("chat"):
        raise BadPrompting("A system prompt is a message of a chat: give --chat as well.")
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
        "design": new.design if new.stopping.rule == "fixed" else new.stopping.design,
        "source": new.source,
        "provenance": dict(new.provenance),
        "fingerprint": new.fingerprint,
        "stopping": new.stopping.record(),
        "pilot_samples": new.stopping.pilot or None,
        "budget_samples": new.budget.samples,
        "budget_usd": new.budget.usd,
        "budget_gpu_hours": new.budget.gpu_hours,
        "system_prompt": new.system_prompt,
        "adapter": new.adapter,
        "prompting": dict(new.prompting),
    }
    statement = insert(runs).values(values).on_conflict_do_nothing(index_elements=["name"]).returning(runs.c.run_id)
    is_new = connection.execute(statement).scalar_one_or_none() is not None
    run = find_run(connection, new.name)
    if run.fingerprint != new.fingerprint:
        raise RunExists(
            f'Run "{new.name}" exists with another benchmark, model, prompt, sampling or file: choose another name.'
        )
    if not is_new and (run.stopping != new.stopping.record() or run.budget != new.budget):
        raise RunExists(f'Run "{new.name}" exists with another stopping rule or budget: choose another name.')
    return run, is_new


def _check_samples(samples: int) -> None:
    if not 1 <= samples <= SEED_ROOM:
        raise BadRun(f"{samples} samples per problem cannot be: give --samples 1 to {SEED_ROOM}.")


def check_template(template: str) -> None:
    """A prompt template must have a place for the problem's prompt."""
    if "{prompt}" not in template:
        raise BadRun("The prompt template has no {prompt}: write it where the problem's prompt belongs.")


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
    values: dict[str, Any] = {"samples_per_problem": samples}
    if run.stopping["rule"] != "fixed":
        values["stopping"] = replace(run.rule, cap=samples).record()
    connection.execute(sa.update(runs).where(runs.c.run_id == run.run_id).values(values))


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
