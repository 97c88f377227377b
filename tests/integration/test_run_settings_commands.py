"""`passatk run create, show, clone, status` with stopping rules, budgets, chats, adapters and engine options."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from store import command

DEMO_MODEL = Path(__file__).resolve().parents[2] / "examples" / "arithmetic" / "model"

Passatk = Callable[..., tuple[int, str, str]]


@pytest.fixture
def passatk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Passatk:
    """Runs `passatk` with these arguments in this process: exit status, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["passatk", *arguments])
        with pytest.raises(SystemExit) as ended:
            command.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


@pytest.fixture
def create(workshop: Any, passatk: Passatk) -> Passatk:
    workshop.benchmark()

    def make(*options: str) -> tuple[int, str, str]:
        given = ("--samples", "8") if "--samples" not in options and "--cap" not in options else ()
        return passatk("run", "create", "--benchmark", "sums", "--name", "small", *given, *options)

    return make


def shown(passatk: Passatk, name: str = "small") -> dict[str, Any]:
    code, out, err = passatk("run", "show", name, "--format", "json")
    assert code == 0, err
    told = json.loads(out)
    assert isinstance(told, dict)
    return told


def test_a_budget_is_told_when_the_run_is_made(create: Passatk) -> None:
    code, out, err = create("--model", "tiny", "--budget-samples", "10", "--budget-gpu-hours", "0.5")
    assert code == 0, err
    assert "8 samples for each of 2 problems, within a budget of 10 samples, 0.5 GPU-hours. Next:" in out


def test_a_rule_and_texts_share_an_option(create: Passatk, passatk: Passatk) -> None:
    code, out, _ = create("--model", "tiny", "--stop", "first-correct", "--stop", "\\n\\n", "--stop-text", "fixed")
    assert code == 0
    assert "at most 8 (first-correct) samples for each of 2 problems" in out
    told = shown(passatk)
    assert told["sampling"]["stop"] == ["\n\n", "fixed"]
    assert told["stopping"]["rule"] == "first-correct"
    assert told["design"] == "until_success"


@pytest.mark.parametrize(
    ("options", "stopping"),
    [
        ("--stop first-correct --successes 2 --cap 5", {"successes": 2, "cap": 5, "batch": 1}),
        ("--stop batch-first-correct --stop-batch 4", {"batch": 4, "cap": 8}),
        ("--stop budget-usd --budget-usd 0.5", {"pilot": 8, "batch": 4, "goal": "solve"}),
        ("--stop adaptive --pilot 2 --goal tail --tail-k 50", {"pilot": 2, "goal": "tail", "tail_k": 50}),
    ],
)
def test_rules_are_stored_with_their_parameters(
    create: Passatk, passatk: Passatk, options: str, stopping: dict[str, Any]
) -> None:
    assert create("--model", "tiny", *options.split())[0] == 0
    told = shown(passatk)
    assert told["stopping"].items() >= stopping.items()
    assert told["pilot_samples"] == stopping.get("pilot")
    assert told["samples_per_problem"] == told["stopping"]["cap"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--stop budget-usd", "give --budget-usd AMOUNT"),
        ("--stop first-correct --stop adaptive", "one stopping rule"),
        ("--stop first-correct --pilot 2", "leave --pilot out"),
        ("--pilot 2", "--pilot belongs to another stopping rule"),
        ("--budget-samples 0", "--budget-samples more than 0"),
        ("--system hello", "give --chat as well"),
        ("--adapter x", 'has no adapter "x" (it has none)'),
        ("--adapter x=/nowhere", "no adapter_config.json"),
        ("--engine-option fast", "must be NAME=VALUE"),
    ],
)
def test_what_cannot_be_is_one_line_and_stores_nothing(
    create: Passatk, workshop: Any, options: str, complaint: str
) -> None:
    code, _, err = create("--model", "tiny", *options.split())
    assert code == 1
    assert complaint in err
    assert err.count("\n") == 1
    assert workshop.one("SELECT count(*) FROM store.runs") == 0
    assert workshop.one("SELECT count(*) FROM store.models") == 0


def test_neither_samples_nor_cap_is_a_usage_error(workshop: Any, passatk: Passatk) -> None:
    workshop.benchmark()
    code, _, err = passatk("run", "create", "--benchmark", "sums", "--model", "tiny")
    assert (code, "Missing option '--samples'" in err) == (2, True)


def test_the_same_name_with_another_rule_is_refused(create: Passatk) -> None:
    assert create("--model", "tiny")[0] == 0
    assert create("--model", "tiny")[0] == 0
    code, _, err = create("--model", "tiny", "--stop", "first-correct")
    assert (code, "another stopping rule" in err) == (1, True)


def test_chat_adapter_and_engine_options_are_kept(create: Passatk, passatk: Passatk, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 4}')
    options = ["--chat", "--system", "Add.", "--adapter", f"sums={tmp_path}", "--logprobs"]
    options += ["--engine-option", "quantization=fp8", "--engine-option", "tensor_parallel_size=2"]
    assert create("--model", "tiny", *options)[0] == 0
    told = shown(passatk)
    assert told["engine_options"] == {
        "quantization": "fp8",
        "tensor_parallel_size": 2,
        "adapters": {"sums": str(tmp_path)},
    }
    assert (told["adapter"], told["system_prompt"], told["prompting"]) == ("sums", "Add.", {"chat": True})
    assert told["sampling"]["token_logprobs"] is True
    code, _, err = create("--model", "tiny", "--engine-option", "quantization=awq")
    assert (code, "has the engine option quantization=fp8" in err) == (1, True)


def test_a_clone_is_the_same_run_with_another_seed(create: Passatk, passatk: Passatk) -> None:
    create("--model", "tiny", "--stop", "first-correct", "--budget-samples", "9", "--prompt-template", "Q: {prompt}")
    assert passatk("run", "clone", "small", "--seed", "7")[0] == 0
    first, second = shown(passatk), shown(passatk, "small-seed7")
    differs = {key for key in first if first[key] != second[key]}
    assert differs == {"run", "run_id", "sampling", "fingerprint", "created_at"}
    assert second["sampling"] == {**first["sampling"], "seed": 7}
    assert passatk("run", "clone", "small", "--name", "more", "--samples", "20")[0] == 0
    assert shown(passatk, "more")["stopping"]["cap"] == 20
    assert shown(passatk, "more")["fingerprint"] == first["fingerprint"], "how many are drawn changes no sample"


def test_status_tells_rule_and_budget(create: Passatk, passatk: Passatk, workshop: Any) -> None:
    create("--model", "tiny", "--stop", "adaptive", "--pilot", "2", "--budget-samples", "9", "--budget-usd", "1.5")
    lines = passatk("run", "status", "small")[1].splitlines()
    assert lines[1] == "samples    0 of at most 9, 0 cut by the token limit, 0 empty"
    assert lines[2] == "stops by   adaptive, at most 8 a problem, pilot of 2"
    assert lines[3] == "budget     0 of 9 samples, US$0.0000 of 1.5000"
    told = json.loads(passatk("run", "status", "small", "--format", "json")[1])
    assert told["stopping"]["rule"] == "adaptive"
    assert told["spent"]["samples"] == 0


def test_prompts_beyond_the_context_are_refused_by_name_before_any_work(
    workshop: Any, passatk: Passatk, tmp_path: Path
) -> None:
    from store.benchmarks import import_benchmark

    long = "one apple and " * 200
    lines = [{"id": f"p{i}", "prompt": long if i in (1, 3) else "1 + 1 = ?", "answer": "2"} for i in range(5)]
    import_benchmark(workshop.file("sums.jsonl", lines), "sums", "jsonl")
    model = f"demo={DEMO_MODEL}"
    passatk("run", "create", "--benchmark", "sums", "--model", model, "--samples", "4", "--name", "small")
    code, _, err = passatk("run", "start", "small", "--no-wait")
    assert code == 1
    assert "holds 512 tokens" in err
    assert "p1 (" in err
    assert "p3 (" in err
    assert "p0" not in err
    assert err.count("\n") == 1
    assert workshop.one("SELECT count(*) FROM store.batches") == 0
    passatk("run", "create", "--benchmark", "sums", "--model", model, "--samples", "4", "--name", "chat", "--chat")
    code, _, err = passatk("run", "start", "chat", "--no-wait")
    assert (code, 'Model "demo" has no chat template' in err) == (1, True)


def test_a_larger_context_given_to_the_engine_counts(tmp_path: Path) -> None:
    from workers.context_check import context_of

    shutil.copy(DEMO_MODEL / "config.json", tmp_path)
    assert context_of(tmp_path, {}) == 512
    assert context_of(tmp_path, {"max_model_len": 4096}) == 4096
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 9, "rope_scaling": {"factor": 2}}))
    assert context_of(tmp_path, {}) is None, "how scaling stretches a context depends on its kind"
