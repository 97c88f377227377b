"""Planning: exactly what the store lacks becomes batches, however often and by however many it is asked for."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.batches import plan_generation, plan_verification, set_failed_aside
from store.connection import transaction
from store.errors import PassatkError
from store.runs import Run, find_run, raise_target
from store.verdicts import VerdictRow, write_verdicts
from workers.planning import JUDGE_SIZE, plan_judging, plan_run

_names = itertools.count()

#: Many examples share one store; each makes a run of its own in it.
property_test = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

indexes = st.sets(st.integers(0, 24), max_size=20)
open_ranges = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 24),
        st.integers(1, 8),
        st.sampled_from(["ready", "leased", "done", "failed", "cancelled"]),
    ),
    max_size=4,
)


def _planned(workshop: Any, batch_ids: list[int]) -> list[tuple[Any, ...]]:
    query = (
        "SELECT problem_id, first_index, end_index, attempt, verifier_id, state, tries, position FROM store.batches"
        " JOIN store.problems USING (problem_id) WHERE batch_id = ANY(:ids) ORDER BY batch_id"
    )
    return workshop.rows(query, ids=batch_ids)


def _cells(planned: list[tuple[Any, ...]], size: int) -> list[tuple[int, int, int]]:
    """(problem, index, attempt) of every planned place; checks that ranges are cut at multiples of the size."""
    cells = []
    for problem, first, end, attempt, *_ in planned:
        assert first < end
        assert first // size == (end - 1) // size, "a batch is longer than asked for"
        cells += [(problem, index, attempt) for index in range(first, end)]
    assert len(cells) == len(set(cells)), "two batches hold the same sample"
    return cells


def _whole(planned: list[tuple[Any, ...]], size: int) -> bool:
    """Whether no two batches could have been one."""
    ends = {(problem, end, attempt) for problem, _, end, attempt, *_ in planned if end % size}
    return not any((problem, first, attempt) in ends for problem, first, _, attempt, *_ in planned)


@property_test
@given(indexes, indexes, open_ranges, st.integers(1, 20), st.sampled_from([1, 3, 8, 32]))
def test_the_plan_is_what_is_missing(
    workshop: Any, first: set[int], second: set[int], others: list[Any], wanted: int, size: int
) -> None:
    run = workshop.run(problems=2, samples=wanted, name=f"run {next(_names)}")
    problems = workshop.problems(run)
    missing = {(problem, index) for problem in problems for index in range(wanted)}
    for problem, stored in zip(problems, (first, second), strict=True):
        if stored:
            workshop.draw(run, problem, stored)
            missing -= {(problem, index) for index in stored}
    for place, start, length, state in others:
        workshop.batch(run, problems[place], start, start + length, state=state)
        if state in ("ready", "leased"):
            missing -= {(problems[place], index) for index in range(start, start + length)}
    # Judging batches and batches of another run are no reason to leave a sample out.
    workshop.batch(run, problems[0], 0, 25, verifier_id=workshop.verifier())

    with transaction() as connection:
        ids = plan_generation(connection, run, size)
    planned = _planned(workshop, ids)
    assert sorted((problem, index) for problem, index, _ in _cells(planned, size)) == sorted(missing)
    assert _whole(planned, size)
    assert all(row[3:7] == (0, None, "ready", 0) for row in planned)
    # The order to work in: lower ranges of all problems before higher ones of any.
    assert [(row[1], row[7]) for row in planned] == sorted((row[1], row[7]) for row in planned)
    with transaction() as connection:
        assert plan_generation(connection, run, size) == []


verdicts = st.dictionaries(
    st.tuples(st.integers(0, 1), st.integers(0, 24)),
    st.lists(st.sampled_from(["correct", "incorrect", "undecided"]), min_size=1, max_size=3),
    max_size=15,
)


@property_test
@given(indexes, indexes, open_ranges, verdicts, st.sampled_from([1, 5, 64]))
def test_what_lacks_a_decided_verdict_is_judged(
    workshop: Any, first: set[int], second: set[int], others: list[Any], judged: dict[Any, Any], size: int
) -> None:
    run = workshop.run(problems=2, samples=25, name=f"run {next(_names)}")
    problems = workshop.problems(run)
    verifier, other_verifier = workshop.verifier(), workshop.verifier("chain")
    missing: dict[tuple[int, int], int] = {}
    for problem, stored in zip(problems, (first, second), strict=True):
        if stored:
            workshop.draw(run, problem, stored)
            missing |= {(problem, index): 0 for index in stored}
    rows = []
    for (place, index), outcomes in judged.items():
        key = (problems[place], index)
        if key not in missing:
            continue
        missing[key] = len(outcomes)
        for attempt, outcome in enumerate(outcomes):
            rows.append(VerdictRow(run.run_id, *key, verifier, attempt, 1, outcome, None, None, None, 0.0))
            rows.append(VerdictRow(run.run_id, *key, other_verifier, attempt, 1, "correct", None, None, None, 0.0))
        if set(outcomes) != {"undecided"}:
            del missing[key]
    with transaction() as connection:
        write_verdicts(connection, rows)
    for place, start, length, state in others:
        workshop.batch(run, problems[place], start, start + length, state=state, verifier_id=verifier)
        if state in ("ready", "leased"):
            for index in range(start, start + length):
                missing.pop((problems[place], index), None)
    workshop.batch(run, problems[0], 0, 25)
    workshop.batch(run, problems[0], 0, 25, verifier_id=other_verifier)

    with transaction() as connection:
        ids = plan_verification(connection, run, verifier, size)
    planned = _planned(workshop, ids)
    assert {(problem, index): attempt for problem, index, attempt in _cells(planned, size)} == missing
    assert _whole(planned, size)
    assert all(row[4:7] == (verifier, "ready", 0) for row in planned)
    with transaction() as connection:
        assert plan_verification(connection, run, verifier, size) == []


def test_a_fresh_run_is_cut_evenly(workshop: Any) -> None:
    run = workshop.run(problems=3, samples=70)
    plan = plan_run(run, 32)
    planned = _planned(workshop, plan.draw)
    problems = workshop.problems(run)
    expected = [(problem, *cut) for cut in ((0, 32), (32, 64), (64, 70)) for problem in problems]
    assert [row[:3] for row in planned] == expected
    assert plan.judge == []
    assert plan.batch_ids == plan.draw


def test_a_topped_up_run_is_planned_from_where_it_stands(workshop: Any) -> None:
    run = workshop.run(problems=1, samples=10)
    (problem,) = workshop.problems(run)
    workshop.draw(run, problem, range(10))
    with transaction() as connection:
        raise_target(connection, run, 40)
        run = find_run(connection, run.name)
    assert [row[1:3] for row in _planned(workshop, plan_run(run, 32).draw)] == [(10, 32), (32, 40)]


def test_planners_at_once_plan_once(workshop: Any) -> None:
    run = workshop.run(problems=4, samples=100, verifiers=[("answer", "1")])
    for problem in workshop.problems(run):
        workshop.draw(run, problem, range(0, 100, 3))
    start = threading.Barrier(5)

    def plan(_: int) -> list[int]:
        start.wait()
        return plan_run(run, 16).batch_ids

    with ThreadPoolExecutor(5) as pool:
        plans = list(pool.map(plan, range(5)))
    assert sorted(len(ids) > 0 for ids in plans) == [False] * 4 + [True]
    planned = _planned(workshop, max(plans))
    assert len(_cells([row for row in planned if row[4] is None], 16)) == 4 * 66
    assert len(_cells([row for row in planned if row[4] is not None], JUDGE_SIZE)) == 4 * 34


def test_failed_batches_are_planned_again_and_their_errors_kept(workshop: Any) -> None:
    run = workshop.run(problems=1, samples=20, verifiers=[("answer", "1")])
    (problem,) = workshop.problems(run)
    workshop.draw(run, problem, range(10))
    failed = workshop.batch(run, problem, 10, 20, state="failed", error="no such model", tries=5)
    unjudged = workshop.batch(run, problem, 0, 10, state="failed", verifier_id=workshop.verifier(), error="no sandbox")
    other = workshop.run(problems=1, samples=5, name="other", model="other-model")
    untouched = workshop.batch(other, workshop.problems(other)[0], 0, 5, state="failed")
    plan = plan_run(run)
    assert [row[1:3] for row in _planned(workshop, plan.draw)] == [(10, 20)]
    assert [row[1:3] for row in _planned(workshop, plan.judge)] == [(0, 10)]
    states = dict(workshop.rows("SELECT batch_id, state FROM store.batches"))
    assert (states[failed], states[unjudged], states[untouched]) == ("cancelled", "cancelled", "failed")
    assert workshop.rows("SELECT error FROM store.batches WHERE error IS NOT NULL ORDER BY batch_id") == [
        ("no such model",),
        ("no sandbox",),
    ]
    with transaction() as connection:
        set_failed_aside(connection, run)
    assert plan_run(run).batch_ids == []


def test_an_imported_run_has_nothing_to_draw(workshop: Any) -> None:
    run = workshop.run(problems=2, samples=None, verifiers=[("answer", "1")])
    workshop.draw(run, workshop.problems(run)[0], range(3))
    plan = plan_run(run)
    assert plan.draw == []
    assert [row[1:3] for row in _planned(workshop, plan.judge)] == [(0, 3)]


class TestJudging:
    @pytest.fixture
    def run(self, workshop: Any) -> Run:
        run: Run = workshop.run(problems=1, samples=None)
        workshop.draw(run, workshop.problems(run)[0], range(70))
        return run

    def test_the_first_verifier_becomes_the_reference(self, workshop: Any, run: Run) -> None:
        row, ids = plan_judging(run, None)
        assert row.name == "answer"  # the usual one of its format
        assert [planned[1:3] for planned in _planned(workshop, ids)] == [(0, 64), (64, 70)]
        with transaction() as connection:
            found = find_run(connection, run.name)
        assert found.reference_verifier_id == row.verifier_id
        second, _ = plan_judging(found, "chain")
        with transaction() as connection:
            assert find_run(connection, run.name).reference_verifier_id == row.verifier_id
        attached = workshop.rows("SELECT verifier_id FROM store.run_verifiers ORDER BY 1")
        assert attached == [(row.verifier_id,), (second.verifier_id,)]

    def test_twice_plans_nothing(self, run: Run) -> None:
        assert len(plan_judging(run, "chain")[1]) == 2
        assert plan_judging(run, "chain")[1] == []

    def test_an_unknown_verifier_names_the_known_ones_and_changes_nothing(self, workshop: Any, run: Run) -> None:
        with pytest.raises(PassatkError, match=r"'magic' is unknown: choose among answer, .*unit-tests"):
            plan_judging(run, "magic")
        assert workshop.rows("SELECT count(*) FROM store.run_verifiers") == [(0,)]
