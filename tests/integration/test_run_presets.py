"""Presets of studies on `run create`, examples from a training file, and subsets of benchmarks, as commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from store.benchmark_cli import benchmark
from store.presets import PRESETS
from store.prompting import examples_for, render_prompt
from store.runs import find_run
from workers.cli import run

Passatk = Callable[..., Result]


@pytest.fixture
def passatk(workshop: Any) -> Passatk:
    def call(group: Any, *arguments: str) -> Result:
        return CliRunner().invoke(group, arguments, catch_exceptions=False)

    lines = [{"question": f"{n} + 1?", "answer": f"so\n#### {n + 1}"} for n in range(20)]
    path = str(workshop.file("gsm8k.jsonl", lines))
    options = ("--name", "gsm8k", "--format", "gsm8k", "--limit", "8", "--subset-seed", "0")
    result = call(benchmark, "import", path, *options)
    assert result.output == "Benchmark gsm8k@1: 8 problems stored.\n"
    return call


def _train(folder: Path, workshop: Any) -> str:
    lines = [{"question": f"{n} - 1?", "answer": f"so\n#### {n - 1}"} for n in range(30)]
    return str(workshop.file("train.jsonl", lines))


def test_a_preset_sets_what_is_not_said(workshop: Any, passatk: Passatk) -> None:
    arguments = ("create", "--benchmark", "gsm8k", "--model", "m=org/m", "--preset", "monkeys/gsm8k", "--name", "r")
    result = passatk(run, *arguments, "--samples", "12")
    assert result.exit_code == 0, result.output
    assert "Preset monkeys/gsm8k shows 5 examples before each problem" in result.output
    ((sampling, template, samples, prompting),) = workshop.rows(
        "SELECT sampling, prompt_template, samples_per_problem, prompting FROM store.runs"
    )
    assert (sampling["temperature"], sampling["top_p"], sampling["max_tokens"]) == (0.6, 1.0, 512)
    assert sampling["stop"] == ["Q:", "Question:"]
    assert (template, samples) == ("Question: {prompt}\nAnswer:", 12)
    assert prompting == {"preset": "monkeys/gsm8k"}


def test_examples_come_from_the_training_file(workshop: Any, passatk: Passatk) -> None:
    from store.connection import transaction

    arguments = ("create", "--benchmark", "gsm8k", "--model", "m=org/m", "--preset", "monkeys/gsm8k", "--name", "r")
    result = passatk(run, *arguments, "--few-shot", _train(workshop.folder, workshop))
    assert result.exit_code == 0, result.output
    with transaction() as connection:
        made = find_run(connection, "r")
    (problem,) = workshop.rows("SELECT key, prompt FROM store.problems ORDER BY position LIMIT 1")

    class Posed:
        key, prompt = problem

    text = render_prompt(made, Posed, examples_for(made.prompting, Posed)).text  # type: ignore[arg-type]
    assert text.count("Question: ") == 6
    assert text.endswith(f"Question: {problem[1]}\nAnswer:")
    assert made.prompting["few_shot"]["choice"] == "random"
    assert made.samples_per_problem == 10_000


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_names_values_that_a_run_takes(name: str) -> None:
    parameters = {parameter.name for parameter in run.commands["create"].params}
    assert set(PRESETS[name].run_options()) <= parameters


def test_what_cannot_be_is_said(workshop: Any, passatk: Passatk) -> None:
    from store.errors import PassatkError

    arguments = ("create", "--benchmark", "gsm8k", "--model", "m=org/m", "--name", "r")
    with pytest.raises(PassatkError, match='No preset "monkeys/chess": choose among monkeys/gsm8k'):
        passatk(run, *arguments, "--preset", "monkeys/chess")
    with pytest.raises(PassatkError, match="give --few-shot FILE as well"):
        passatk(run, *arguments, "--samples", "1", "--shots", "3")
    with pytest.raises(PassatkError, match="Give a FILE, or --from-hub"):
        passatk(benchmark, "import", "--name", "b", "--format", "gsm8k")
    with pytest.raises(PassatkError, match="--subset-seed draws --limit problems"):
        passatk(benchmark, "import", "f", "--name", "b", "--format", "gsm8k", "--subset-seed", "1")
