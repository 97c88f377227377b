"""What is kept of each sample, and beside it: times, token classes, worker, prompt, tokens with log-probabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from store.connection import transaction
from store.progress import run_progress
from store.runs import Run
from store.samples import SampleRow, write_samples
from store.work import ensure_engine


def _write(*rows: SampleRow) -> dict[int, int]:
    with transaction() as connection:
        return write_samples(connection, rows)


@pytest.fixture
def row(workshop: Any) -> SampleRow:
    run = workshop.run()
    problem = workshop.problems(run)[0]
    return SampleRow(run.run_id, problem, 0, workshop.batch(run, problem, 0, 4), "five")


def test_everything_an_engine_tells_is_stored(workshop: Any, row: SampleRow) -> None:
    told = {
        "seed": 7,
        "request_samples": 4,
        "prompt_tokens": 20,
        "cached_prompt_tokens": 16,
        "cache_write_tokens": 4,
        "completion_tokens": 9,
        "reasoning_tokens": 3,
        "finish_reason": "stop",
        "cumulative_logprob": -1.5,
        "latency_seconds": 2.0,
        "queue_seconds": 0.5,
        "prefill_seconds": 0.25,
        "decode_seconds": 1.0,
        "gpu_seconds": 0.125,
        "worker_id": 3,
    }
    _write(replace(row, **told))
    columns = ", ".join(told)
    stored = workshop.rows(f"SELECT {columns} FROM store.samples")  # noqa: S608 - the names are those above
    assert stored == [tuple(told.values())]


def test_a_prompt_is_kept_once_for_a_problem_in_a_run(workshop: Any, row: SampleRow) -> None:
    said = replace(row, prompt="system: Add.\n1 + 0 = ?\0", prompt_tokens=9)
    _write(said, replace(row, sample_index=1))
    _write(replace(said, sample_index=2, prompt="another"))
    kept = workshop.rows("SELECT problem_id, prompt, prompt_tokens FROM store.prompts")
    assert kept == [(row.problem_id, "system: Add.\n1 + 0 = ?\ufffd", 9)]


def test_tokens_are_kept_where_they_are_told(workshop: Any, row: SampleRow) -> None:
    _write(replace(row, token_ids=(5, 6), token_logprobs=(-0.5, -1.25)), replace(row, sample_index=1))
    _write(replace(row, token_ids=(5, 6), token_logprobs=(-0.5, -1.25)))
    kept = workshop.rows("SELECT sample_index, batch_id, token_ids, logprobs FROM store.sample_logprobs")
    assert kept == [(0, row.batch_id, [5, 6], [-0.5, -1.25])]


def test_truncated_and_empty_samples_are_counted(workshop: Any, row: SampleRow) -> None:
    _write(
        replace(row, finish_reason="length"),
        replace(row, sample_index=1, completion=""),
        replace(row, sample_index=2, completion="", finish_reason="length"),
        replace(row, sample_index=3, finish_reason="stop"),
    )
    with transaction() as connection:
        run = _run_of(workshop)
        progress = run_progress(connection, run)
    assert (progress.samples, progress.truncated, progress.empty) == (4, 2, 2)


def _run_of(workshop: Any) -> Run:
    from store.runs import find_run

    with transaction() as connection:
        return find_run(connection, "small")


def test_an_engine_loaded_in_another_way_is_another_engine(workshop: Any) -> None:
    plain = {"engine": "vllm", "engine_version": "1", "model_revision": "a", "tokenizer_hash": "b", "device": "cpu"}
    with transaction() as connection:
        keys = [
            ensure_engine(connection, plain | {"chat_template_hash": template, "settings": settings})
            for template in (None, "sha256:c")
            for settings in ({"dtype": "bfloat16"}, {"dtype": "float32"}, {"dtype": "bfloat16"})
        ]
    assert len(set(keys)) == 4
    assert workshop.one("SELECT settings ->> 'dtype' FROM store.engines WHERE engine_id = :id", id=keys[1]) == "float32"
