"""Fingerprints decide seeds: they change with what changes a sample, and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from store.benchmarks import Benchmark
from store.model_registry import Model
from store.runs import NewRun, Sampling, sampling_values
from store.stopping import Budget, Stopping


def _run(**changed: Any) -> NewRun:
    plain = NewRun(
        name="first",
        benchmark=Benchmark(1, "sums", 1, 2, "jsonl"),
        model=Model(1, "tiny", "/models/tiny", "vllm"),
        sampling=sampling_values(Sampling(max_tokens=16)),
        samples_per_problem=8,
    )
    return replace(plain, **changed)


def test_a_plain_run_keeps_the_fingerprint_it_always_had() -> None:
    assert _run().fingerprint == "35261c9ab33edd81c306f9cdf0e6faf148aca5b2df652bcd54e4413aeeb59e2b"


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "second"},
        {"samples_per_problem": 100},
        {"model": Model(7, "tiny", "/elsewhere/tiny", "vllm")},
        {"stopping": Stopping("first-correct", cap=8)},
        {"stopping": Stopping("adaptive", cap=8, pilot=2)},
        {"budget": Budget(samples=3)},
        {"sampling": sampling_values(Sampling(max_tokens=16)) | {"token_logprobs": True}},
        {"prompting": {"preset": "mine"}},
        {"prompting": {"chat": False}},
    ],
)
def test_what_changes_no_sample_changes_no_fingerprint(changed: dict[str, Any]) -> None:
    assert _run(**changed).fingerprint == _run().fingerprint


def test_everything_that_changes_a_sample_changes_the_fingerprint() -> None:
    few = {"shots": 1, "pool": 2, "examples": {"0": {"prompt": "1 + 1 = ?", "answer": "2"}}}
    other = {**few, "examples": {"0": {"prompt": "1 + 1 = ?", "answer": "two"}}}
    runs = [
        _run(),
        _run(prompting={"chat": True}),
        _run(prompting={"chat": True}, system_prompt="Think."),
        _run(prompting={"chat": True}, system_prompt="Do not think."),
        _run(adapter="sums-lora"),
        _run(prompting={"few_shot": few}),
        _run(prompting={"few_shot": other}),
        _run(prompting={"few_shot": {**few, "separator": "\n"}}),
        _run(sampling=sampling_values(Sampling(max_tokens=16, seed=1))),
        _run(prompt_template="Q: {prompt}"),
    ]
    assert len({run.fingerprint for run in runs}) == len(runs)


def test_the_name_of_a_file_of_examples_is_no_difference() -> None:
    few = {"shots": 1, "pool": 1, "hash": "ab", "examples": {"0": {"prompt": "p", "answer": "a"}}}
    named = [_run(prompting={"few_shot": {**few, "file": name}}).fingerprint for name in ("a.jsonl", "b.jsonl")]
    assert named[0] == named[1]
