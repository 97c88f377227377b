"""HumanEval in the sandbox: reference solutions pass, mutants fail, and real samples count as published."""

from __future__ import annotations

import gzip
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workers.errors import SandboxUnavailable
from workers.verifiers.protocol import Outcome, Problem
from workers.verifiers.unit_tests import UnitTests

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the sandbox needs Linux")

SHARED = Path(os.environ.get("PASSATK_SHARED_DATA", Path(__file__).parents[2] / "../shared/data"))
STOP_WORDS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
#: Every sixth problem: minutes saved (programs that never end take their whole limit), hard and easy ones alike.
EVERY = 6


def _rows(name: str) -> list[dict[str, Any]]:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no data at {path}")
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def _problem(row: dict[str, Any]) -> Problem:
    return Problem(row["task_id"], row["prompt"], tests=row["test"], entry_point=row["entry_point"])


def _cut(sample: str) -> str:
    ends = [at for word in STOP_WORDS if (at := sample.find(word)) >= 0]
    return sample[: min(ends, default=len(sample))]


@pytest.fixture(scope="module", params=["bwrap", "flat"])
def verifier(request: pytest.FixtureRequest) -> Iterator[UnitTests]:
    """The verifier behind each tier of walls that holds here."""
    verifier = UnitTests(tier=request.param)
    try:
        assert verifier.sandbox.tier == request.param
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    yield verifier
    verifier.close()


def test_reference_solutions_pass_and_mutants_fail(verifier: UnitTests) -> None:
    rows = _rows("humaneval_even.jsonl.gz")
    assert len(rows) == 82
    for row in rows:
        fenced = f"```python\n{row['prompt']}{row['canonical_solution']}\n```"
        completions = [row["canonical_solution"], fenced, "    return None\n", "    raise SystemExit(0)\n"]
        judgements = verifier.judge(_problem(row), completions)
        outcomes = [judgement.outcome for judgement in judgements]
        assert outcomes[:2] == [Outcome.CORRECT] * 2, (row["task_id"], judgements)
        assert outcomes[2:] == [Outcome.INCORRECT] * 2, (row["task_id"], judgements)
        assert all(dict(judgement.detail or {})["integrity"] == "strong" for judgement in judgements)


def test_real_samples_count_as_an_independent_executor_counted_them() -> None:
    samples = {row["task_id"]: row["samples"] for row in _rows("humaneval_even_codegen16b_samples.jsonl.gz")}
    counts = json.loads((SHARED / "humaneval_even_codegen16b_counts.json").read_text())
    verifier, differing = UnitTests(), {}
    for row in _rows("humaneval_even.jsonl.gz")[::EVERY]:
        judgements = verifier.judge(_problem(row), [_cut(sample) for sample in samples[row["task_id"]]])
        correct = sum(judgement.outcome is Outcome.CORRECT for judgement in judgements)
        if [len(judgements), correct] != counts[row["task_id"]]:
            differing[row["task_id"]] = (len(judgements), correct, counts[row["task_id"]])
    verifier.close()
    assert differing == {}


def test_three_runs_give_the_same_verdicts_whatever_else_the_machine_does() -> None:
    samples = {row["task_id"]: row["samples"] for row in _rows("humaneval_even_codegen16b_samples.jsonl.gz")}
    rows = _rows("humaneval_even.jsonl.gz")[4:40:12]
    verifier = UnitTests(cpu_seconds=1.0)
    found = []
    for busy in (False, True, False):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * busy)]
        try:
            found.append(
                [
                    (judgement.outcome, judgement.reason)
                    for row in rows
                    for judgement in verifier.judge(
                        _problem(row), list(dict.fromkeys(map(_cut, samples[row["task_id"]])))[:40]
                    )
                ]
            )
        finally:
            for other in others:
                other.kill()
                other.wait()
    verifier.close()
    assert len(found[0]) > 60
    assert found[0] == found[1] == found[2]
