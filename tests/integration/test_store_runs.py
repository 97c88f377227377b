"""Runs in the store: created once under a name, topped up, never taken away from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from store.connection import transaction
from store.model_registry import Model, ModelUnknown, ensure_model
from store.progress import run_progress
from store.runs import (
    BadRun,
    NewRun,
    Run,
    RunExists,
    RunUnknown,
    Sampling,
    create_run,
    find_run,
    list_runs,
    raise_target,
    sampling_values,
)
from store.verdicts import VerdictRow, write_verdicts


@pytest.fixture
def new(workshop: Any) -> NewRun:
    benchmark = workshop.benchmark(2)
    with transaction() as connection:
        model = ensure_model(connection, "tiny", "vllm")
    return NewRun("small", benchmark, model, sampling_values(Sampling()), samples_per_problem=8)


def _create(new: NewRun) -> tuple[Run, bool]:
    with transaction() as connection:
        return create_run(connection, new)


def test_creating_twice_changes_nothing(new: NewRun, workshop: Any) -> None:
    first, first_is_new = _create(new)
    again, again_is_new = _create(new)
    assert (first_is_new, again_is_new) == (True, False)
    assert first == again
    assert (first.state, first.design, first.source) == ("open", "fixed_n", "generated")
    assert workshop.one("SELECT count(*) FROM store.runs") == 1


def test_the_number_of_samples_is_not_part_of_a_run(new: NewRun) -> None:
    first, _ = _create(new)
    again, is_new = _create(replace(new, samples_per_problem=99))
    assert not is_new
    assert again.samples_per_problem == first.samples_per_problem == 8


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.5),
        Sampling(top_p=0.9),
        Sampling(top_k=5),
        Sampling(max_tokens=511),
        Sampling(stop=("\n",)),
        Sampling(seed=1),
    ],
)
def test_other_sampling_under_the_same_name_is_refused(new: NewRun, sampling: Sampling) -> None:
    first, _ = _create(new)
    with pytest.raises(RunExists, match='Run "small" exists'):
        _create(replace(new, sampling=sampling_values(sampling)))
    with transaction() as connection:
        assert find_run(connection, "small") == first


def test_another_prompt_model_or_benchmark_is_refused(new: NewRun, workshop: Any) -> None:
    _create(new)
    with transaction() as connection:
        other: Model = ensure_model(connection, "other", "vllm")
    for changed in (
        replace(new, prompt_template="Q: {prompt}"),
        replace(new, model=other),
        replace(new, benchmark=workshop.benchmark(3)),
    ):
        with pytest.raises(RunExists):
            _create(changed)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"samples_per_problem": 0}, "0 samples per problem cannot be"),
        ({"samples_per_problem": -3}, "-3 samples"),
        ({"samples_per_problem": 2**20 + 1}, "1048577 samples per problem cannot be"),
        ({"samples_per_problem": 3_000_000_000}, "3000000000 samples"),
        ({"prompt_template": "no place"}, r"no \{prompt\}"),
        ({"name": ""}, "name"),
    ],
)
def test_runs_that_cannot_be(new: NewRun, workshop: Any, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadRun, match=complaint):
        _create(replace(new, **change))
    assert workshop.one("SELECT count(*) FROM store.runs") == 0


def test_an_unknown_run_names_the_known_ones(new: NewRun) -> None:
    with transaction() as connection, pytest.raises(RunUnknown, match='No run "big"; none is stored'):
        find_run(connection, "big")
    _create(new)
    with transaction() as connection, pytest.raises(RunUnknown, match='No run "big"; there are: small'):
        find_run(connection, "big")


def test_topping_up(new: NewRun) -> None:
    run, _ = _create(new)
    with transaction() as connection:
        raise_target(connection, run, 12)
        raised = find_run(connection, "small")
        assert raised.samples_per_problem == 12
        assert raised.fingerprint == run.fingerprint
        raise_target(connection, raised, 12)
        with pytest.raises(BadRun, match="wants 12 samples per problem already; 8 would be fewer"):
            raise_target(connection, raised, 8)
        with pytest.raises(BadRun, match="samples per problem cannot be"):
            raise_target(connection, raised, 2**20 + 1)
        assert find_run(connection, "small").samples_per_problem == 12


def test_an_imported_run_cannot_be_topped_up(workshop: Any) -> None:
    run = workshop.run(samples=None)
    with transaction() as connection, pytest.raises(BadRun, match="was imported"):
        raise_target(connection, run, 100)


def test_list_names_what_a_run_is_made_of(new: NewRun) -> None:
    _create(new)
    _create(replace(new, name="second"))
    with transaction() as connection:
        assert [tuple(row) for row in list_runs(connection)] == [
            ("small", "sums@1", "tiny", 8, "generated", "open"),
            ("second", "sums@1", "tiny", 8, "generated", "open"),
        ]


def test_a_known_model_keeps_its_location(workshop: Any) -> None:
    with transaction() as connection:
        first = ensure_model(connection, "tiny=org/model", "vllm")
        assert ensure_model(connection, "tiny", "vllm") == first
        assert ensure_model(connection, "tiny=org/model", "vllm") == first
        with pytest.raises(ModelUnknown, match="registered at org/model"):
            ensure_model(connection, "tiny=org/other", "vllm")


def test_a_model_known_from_imports_alone_cannot_draw(workshop: Any) -> None:
    with transaction() as connection:
        imported = ensure_model(connection, "org/model", "none")
        assert ensure_model(connection, "org/model", "none") == imported
        with pytest.raises(ModelUnknown, match="imported samples"):
            ensure_model(connection, "org/model", "vllm")


def test_progress_counts_rows_as_they_are(workshop: Any) -> None:
    run = workshop.run(problems=3, samples=4, verifiers=[("answer", "1"), ("chain", "1")])
    first, second, _ = workshop.problems(run)
    batch = workshop.draw(run, first, range(4))
    workshop.draw(run, second, range(2))
    workshop.batch(run, second, 2, 4)
    workshop.batch(run, second, 2, 3, state="failed", error="it broke")
    workshop.rows("UPDATE store.samples SET completion_tokens = 5, finish_reason = 'length' WHERE sample_index = 0")
    verifier = workshop.verifier("answer")
    outcomes = ["correct", "incorrect", "undecided"]
    with transaction() as connection:
        write_verdicts(
            connection,
            [
                VerdictRow(run.run_id, first, n, verifier, 0, batch, outcome, None, None, None, 0.0)
                for n, outcome in enumerate(outcomes)
            ],
        )
        progress = run_progress(connection, run)
    assert (progress.problems, progress.samples, progress.samples_wanted) == (3, 6, 12)
    assert (progress.completion_tokens, progress.truncated) == (10, 2)
    assert progress.batches == {"done": 2, "ready": 1, "failed": 1}
    assert (progress.open_batches, progress.failed_batches, progress.errors) == (1, 1, ["it broke"])
    answer, chain = progress.verifiers
    assert (answer.verifier, answer.correct, answer.incorrect, answer.undecided, answer.judged) == (
        "answer@1",
        1,
        1,
        1,
        3,
    )
    assert (chain.verifier, chain.judged) == ("chain@1", 0)
