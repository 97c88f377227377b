"""Recipes of training data: what is taken, how often, in which layout, and where each row is from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from store.stored_samples import StoredSample
from store.training_recipes import Limits, bucket, difficulty, preference, sft

BASE = StoredSample(
    run="r", run_id=1, benchmark="b", model="m", problem_id=1, problem="p0", position=0, question="q", prompt="Q: q",
    reference_answer="2", sample_index=0, completion="x", completion_hash=0, prompt_tokens=3, completion_tokens=5,
    finish_reason="stop", latency_seconds=None, verifier="answer@1", outcome="correct", reason=None, answer="2",
    score=None,
)  # fmt: skip


def _samples(*outcomes: str, problem: int = 0, **values: Any) -> list[StoredSample]:
    return [
        replace(
            BASE,
            problem_id=problem,
            problem=f"p{problem}",
            position=problem,
            sample_index=n,
            completion=f"text {n}",
            completion_hash=n,
            outcome=outcome,
            **values,
        )
        for n, outcome in enumerate(outcomes)
    ]


def test_sft_takes_correct_texts_once() -> None:
    samples = _samples("correct", "incorrect", "correct", "undecided")
    samples.append(replace(samples[0], sample_index=9))  # the same text again
    rows = list(sft(samples, Limits(), conversational=False))
    assert [row["sample_index"] for row in rows] == [0, 2]
    assert rows[0] == {
        "prompt": "Q: q",
        "completion": "text 0",
        "benchmark": "b",
        "problem": "p0",
        "model": "m",
        "verifier": "answer@1",
        "sample_index": 0,
        "run": "r",
    }
    (first, *_) = sft(samples, Limits(), conversational=True)
    assert first["messages"] == [{"role": "user", "content": "Q: q"}, {"role": "assistant", "content": "text 0"}]


def test_caps_and_limits() -> None:
    many = _samples(*["correct"] * 10) + _samples(*["correct"] * 10, problem=1)
    rows = list(sft(many, Limits(per_problem=3), conversational=False))
    assert [row["problem"] for row in rows] == ["p0"] * 3 + ["p1"] * 3
    assert rows == list(sft(many, Limits(per_problem=3), conversational=False))
    other = list(sft(many, Limits(per_problem=3, seed=1), conversational=False))
    assert other != rows
    assert not list(sft(many, Limits(max_tokens=4), conversational=False))
    assert not list(sft(many, Limits(min_tokens=6), conversational=False))
    assert not list(sft(many, Limits(max_characters=3), conversational=False))
    assert not list(sft(_samples("correct", completion_tokens=None), Limits(max_tokens=9), conversational=False))
    cut = _samples("correct", finish_reason="length")
    assert not list(sft(cut, Limits(), conversational=False))
    assert len(list(sft(cut, Limits(finished=False), conversational=False))) == 1


def test_pairs_are_of_one_problem_and_of_decided_samples() -> None:
    samples = [
        *_samples("correct", "incorrect", "incorrect", "undecided"),
        *_samples("correct", "correct", problem=1),
        *_samples("incorrect", problem=2),
    ]
    rows = list(preference(samples, Limits(), conversational=False))
    assert {(row["problem"], row["chosen_index"], row["rejected_index"]) for row in rows} == {
        ("p0", 0, 1),
        ("p0", 0, 2),
    }
    assert (rows[0]["prompt"], rows[0]["chosen"]) == ("Q: q", "text 0")
    assert len(list(preference(samples, Limits(per_problem=1), conversational=False))) == 1
    (first, *_) = preference(samples, Limits(), conversational=True)
    assert first["chosen"] == [{"role": "assistant", "content": "text 0"}]


def test_difficulty_counts_decided_samples() -> None:
    samples = [*_samples("correct", "incorrect", "undecided", "incorrect"), *_samples("undecided", problem=1)]
    (row,) = difficulty(samples, Limits(), conversational=False)
    assert (row["n"], row["c"], row["bucket"], row["runs"]) == (3, 1, "medium", ["r"])
    assert row["pass_rate"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("correct", "name"), [(0, "unsolved"), (1, "hard"), (25, "hard"), (26, "medium"), (76, "easy"), (100, "solved")]
)
def test_buckets(correct: int, name: str) -> None:
    assert bucket(correct, 100) == name
