"""What the integration tests build on: small benchmarks, runs, samples and batches, made through the store's doors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from store.batches import mark_done
from store.benchmarks import Benchmark, import_benchmark
from store.connection import transaction
from store.model_registry import ensure_model
from store.runs import NewRun, Run, Sampling, create_run, sampling_values
from store.samples import SampleRow, write_samples
from store.settings import StoreSettings
from store.tables import batches
from store.verifier_registry import attach_verifier, ensure_verifier


@dataclass(frozen=True)
class Workshop:
    """Makes what a test needs in an empty store."""

    folder: Path

    def file(self, name: str, lines: Iterable[Any]) -> Path:
        """A file of JSON lines."""
        path = self.folder / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def benchmark(self, problems: int = 2, name: str = "sums") -> Benchmark:
        """Problems p0, p1, ...: their prompts ask `1 + n = ?`."""
        lines = [{"id": f"p{n}", "prompt": f"1 + {n} = ?", "answer": str(1 + n)} for n in range(problems)]
        return import_benchmark(self.file(f"{name}.jsonl", lines), name, "jsonl")[0]

    def run(
        self,
        problems: int = 2,
        samples: int | None = 8,
        name: str = "small",
        verifiers: Sequence[tuple[str, str]] = (),
        model: str = "tiny",
    ) -> Run:
        """A run over such a benchmark; with samples=None one that others drew. Verifiers are (name, version)."""
        benchmark = self.benchmark(problems)
        with transaction() as connection:
            new = NewRun(
                name=name,
                benchmark=benchmark,
                model=ensure_model(connection, model, "vllm"),
                sampling=sampling_values(Sampling(max_tokens=16)),
                samples_per_problem=samples,
                source="imported" if samples is None else "generated",
            )
            run, _ = create_run(connection, new)
            for verifier, version in verifiers:
                attach_verifier(connection, run.run_id, ensure_verifier(connection, verifier, version).verifier_id)
        return run

    def verifier(self, name: str = "answer", version: str = "1") -> int:
        """The key of a verifier."""
        with transaction() as connection:
            return ensure_verifier(connection, name, version).verifier_id

    def problems(self, run: Run) -> list[int]:
        """The keys of a run's problems, in order."""
        query = "SELECT problem_id FROM store.problems WHERE benchmark_id = :id ORDER BY position"
        return [row[0] for row in self.rows(query, id=run.benchmark_id)]

    def batch(self, run: Run, problem_id: int, first: int, end: int, **columns: Any) -> int:
        """A batch as planning would make it; further columns by name."""
        values = {"run_id": run.run_id, "problem_id": problem_id, "first_index": first, "end_index": end, **columns}
        with transaction() as connection:
            return int(connection.execute(sa.insert(batches).values(values).returning(batches.c.batch_id)).scalar_one())

    def draw(
        self, run: Run, problem_id: int, indexes: Iterable[int], text: Callable[[int], str] = "text {}".format
    ) -> int:
        """Store samples, one done batch around them; returns its key."""
        wanted = sorted(indexes)
        batch_id = self.batch(run, problem_id, wanted[0], wanted[-1] + 1)
        rows = [SampleRow(run.run_id, problem_id, index, batch_id, text(index), seed=index) for index in wanted]
        with transaction() as connection:
            mark_done(connection, write_samples(connection, rows))
        return batch_id

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a statement returns, committed."""
        with transaction() as connection:
            result = connection.execute(sa.text(query), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def one(self, query: str, **values: Any) -> Any:
        """The one value a statement returns."""
        ((value,),) = self.rows(query, **values)
        return value


@pytest.fixture
def workshop(store: StoreSettings, tmp_path: Path) -> Workshop:
    """An empty store and the means to fill it."""
    return Workshop(tmp_path)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """An attack on something that only one tier of the sandbox has is no test of the others: it is left out there."""
    foreign = [item for item in items if _on_another_tier(item)]
    if foreign:
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if item not in foreign]


def _on_another_tier(item: pytest.Item) -> bool:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    path, tier = parameters.get("path"), parameters.get("sandbox")
    if not isinstance(path, Path) or tier is None:
        return False
    tiers = [line for line in path.read_text(errors="replace").splitlines() if line.startswith("# tiers: ")]
    return bool(tiers) and tier not in tiers[0]
