"""Commands and the sandbox: a worker without one refuses to start, and doing without is written on every verdict."""

from __future__ import annotations

import platform
from typing import Any

import pytest
from click.testing import CliRunner

from store.benchmarks import import_benchmark
from store.connection import transaction
from store.model_registry import ensure_model
from store.runs import NewRun, Sampling, create_run, sampling_values
from workers import worker_commands
from workers.cli import verify
from workers.errors import SandboxUnavailable
from workers.sandbox import tiers
from workers.worker_commands import worker

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the sandbox needs Linux")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Calls that would start Celery; and whatever the command puts into the environment is undone."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(worker_commands, "_celery_worker", lambda *arguments: calls.append(arguments))
    monkeypatch.setenv(tiers.UNSAFE_VARIABLE, "")
    return calls


@pytest.mark.usefixtures("store")
class TestWorker:
    def test_names_the_tier_that_held(self, started: list[Any]) -> None:
        result = CliRunner().invoke(worker, ["verify", "--concurrency", "1"], catch_exceptions=False)
        assert "programs in sandbox tier " in result.output
        assert len(started) == 1

    def test_refuses_without_a_sandbox_and_says_what_to_install(
        self, started: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tiers, "_ladder", lambda _tier: iter(()))
        with pytest.raises(
            SandboxUnavailable, match=r"no sandbox holds .*apt install bubblewrap.* --unsafe-no-sandbox"
        ):
            CliRunner().invoke(worker, ["verify"], catch_exceptions=False)
        assert started == []
        CliRunner().invoke(worker, ["verify", "--no-programs"], catch_exceptions=False)
        assert len(started) == 1

    def test_may_do_without_where_that_is_asked_for(self, started: list[Any]) -> None:
        result = CliRunner().invoke(worker, ["verify", "--unsafe-no-sandbox"], catch_exceptions=False)
        assert "programs in sandbox tier none" in result.output
        assert len(started) == 1


def test_every_verdict_says_that_it_was_made_without_a_sandbox(workshop: Any, started: list[Any]) -> None:
    del started
    line = {
        "task_id": "HumanEval/0", "prompt": "def f(x):\n", "canonical_solution": "    return x\n", "entry_point": "f",
        "test": "def check(candidate):\n    assert candidate(1) == 1\n",
    }  # fmt: skip
    benchmark, _ = import_benchmark(workshop.file("h.jsonl", [line]), "h", "humaneval")
    with transaction() as connection:
        model = ensure_model(connection, "tiny", "vllm")
        run, _ = create_run(connection, NewRun("r", benchmark, model, sampling_values(Sampling()), 2))
    workshop.draw(run, workshop.problems(run)[0], range(2), ["    return x\n", "    return 2\n"].__getitem__)
    arguments = ["--run", "r", "--jobs", "1", "--repeat", "2", "--unsafe-no-sandbox", "--option", "cpu_seconds=2"]
    said = CliRunner().invoke(verify, arguments, catch_exceptions=False).output
    assert "1 of 2 correct" in said
    query = """
        SELECT v.sample_index, v.attempt, v.outcome, v.weak, e.tier, o.detail -> 'limits' ->> 'cpu_seconds', r.options
        FROM store.verdicts AS v JOIN store.environments AS e USING (environment_id)
        JOIN store.verifier_outputs AS o USING (run_id, problem_id, sample_index, verifier_id, attempt)
        JOIN store.verifiers AS r USING (verifier_id) ORDER BY 1, 2
    """
    same = (False, "none", "2", {"cpu_seconds": 2})
    wanted = [(0, 0, "correct"), (0, 1, "correct"), (1, 0, "incorrect"), (1, 1, "incorrect")]
    assert workshop.rows(query) == [(*one, *same) for one in wanted]
