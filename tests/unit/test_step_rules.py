"""Which problem gets samples next: rules over plain counts, and money that never runs below nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.spending import Account
from store.step_rules import ProblemState, next_step
from store.stopping import Stopping


def state(problem_id: int = 1, drawn: int = 0, c: int = 0, **changed: Any) -> ProblemState:
    """A problem whose samples are all judged, unless told otherwise."""
    values = {"spoken": drawn, "n": drawn, "waiting": 0, "judging": False, "failed": False, "completion_tokens": 10.0}
    values |= changed
    return ProblemState(problem_id, drawn, c=c, end_index=drawn + int(values["waiting"]), **values)  # type: ignore[arg-type]


def everything(problem_id: int, wanted: int, whole: bool = False) -> int:
    return wanted


def steps(rule: Stopping, *problems: ProblemState, width: int = 1024) -> dict[int, int]:
    return next_step(rule, problems, everything, width)


FIRST = Stopping("first-correct", cap=5)


def test_first_correct_draws_one_and_waits_for_its_verdict() -> None:
    assert steps(FIRST, state()) == {1: 1}
    assert steps(FIRST, state(waiting=1)) == {}
    assert steps(FIRST, state(drawn=1, spoken=0, n=0)) == {}
    assert steps(FIRST, state(drawn=1, judging=True)) == {}
    assert steps(FIRST, state(drawn=1)) == {1: 1}


def test_first_correct_stops_at_a_success_at_the_cap_and_where_something_failed() -> None:
    assert steps(FIRST, state(drawn=3, c=1)) == {}
    assert steps(FIRST, state(drawn=5)) == {}
    assert steps(FIRST, state(drawn=2, failed=True)) == {}


def test_more_successes_may_be_drawn_together_as_the_last_of_them_is_the_first_to_stop() -> None:
    rule = Stopping("first-correct", cap=10, successes=3)
    assert steps(rule, state()) == {1: 3}
    assert steps(rule, state(drawn=4, c=1)) == {1: 2}
    assert steps(rule, state(drawn=9, c=1)) == {1: 1}


def test_an_undecided_sample_leaves_n_and_the_next_is_drawn() -> None:
    assert steps(FIRST, state(drawn=2, n=1)) == {1: 1}


def test_batches_end_at_multiples_and_at_the_cap() -> None:
    rule = Stopping("batch-first-correct", cap=10, batch=4)
    assert [steps(rule, state(drawn=n)) for n in (0, 4, 8, 10)] == [{1: 4}, {1: 4}, {1: 2}, {}]


def test_a_batch_that_cannot_be_paid_for_is_not_begun() -> None:
    rule = Stopping("batch-first-correct", cap=10, batch=4)
    account = Account(3, float("inf"), float("inf"), {}, 0.0, False)
    assert next_step(rule, [state()], account.afford) == {}
    assert account.samples == 3, "and costs nothing"


def test_a_fixed_run_with_a_budget_keeps_its_problems_level() -> None:
    rule = Stopping("fixed", cap=10)
    account = Account(7, float("inf"), float("inf"), {}, 0.0, False)
    assert next_step(rule, [state(1), state(2, drawn=2), state(3)], account.afford) == {1: 3, 2: 1, 3: 3}


ADAPTIVE = Stopping("adaptive", cap=100, batch=2, pilot=4)


def test_the_pilot_comes_first_for_every_problem() -> None:
    assert steps(ADAPTIVE, state(1), state(2, drawn=4, spoken=3, n=3, waiting=0), state(3, drawn=2)) == {1: 4, 3: 2}


def test_solved_problems_drop_out_once_their_pilot_is_complete() -> None:
    found = steps(ADAPTIVE, state(1, drawn=4, c=1), state(2, drawn=4), state(3, drawn=2, c=2), width=10)
    assert set(found) == {2, 3}
    assert found[3] == 2, "its pilot is completed all the same"


def test_with_equal_costs_samples_go_round() -> None:
    found = steps(ADAPTIVE, *(state(i, drawn=4) for i in range(1, 6)), width=20)
    assert found == dict.fromkeys(range(1, 6), 4)


def test_dear_problems_get_less_and_tried_ones_too() -> None:
    found = steps(ADAPTIVE, state(1, drawn=4), state(2, drawn=4, completion_tokens=40.0), width=20)
    assert found[1] > 2 * found[2]
    found = steps(ADAPTIVE, state(1, drawn=4), state(2, drawn=40), width=20)
    assert found == {1: 20}


def test_what_is_on_its_way_counts_as_tried() -> None:
    found = steps(ADAPTIVE, state(1, drawn=4, waiting=30), state(2, drawn=4), width=50)
    assert found == {2: 20}


def test_the_tail_is_learned_from_hard_problems_and_solved_ones_stay() -> None:
    rule = Stopping("adaptive", cap=100, batch=1, pilot=4, goal="tail", tail_k=3)
    seen = [state(1, drawn=8, c=7), state(2, drawn=8, c=3), state(3, drawn=8, c=2), state(4, drawn=8)]
    found = steps(rule, *seen, width=30)
    assert sum(found.values()) == 30
    assert found.get(1, 0) < min(found[2], found[3], found[4]), "what is easy is known already"


@given(
    st.sampled_from([FIRST, ADAPTIVE, Stopping("fixed", cap=9), Stopping("batch-first-correct", cap=9, batch=4)]),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=8),
    st.floats(0, 50),
    st.floats(0.01, 5),
    st.integers(1, 40),
)
def test_no_budget_cap_or_width_is_ever_passed(
    rule: Stopping, counts: list[tuple[int, int, int]], usd: float, price: float, width: int
) -> None:
    problems = [state(i, drawn=n, c=min(c, n), waiting=w) for i, (n, c, w) in enumerate(counts)]
    account = Account(float("inf"), usd, float("inf"), dict.fromkeys(range(9), price), 0.0, False)
    found = next_step(rule, problems, account.afford, width)
    assert sum(found.values()) * price <= usd + 1e-9
    assert account.usd >= -1e-9
    for one in problems:
        assert one.placed + found.get(one.problem_id, 0) <= max(rule.cap or 0, one.placed)
    if not rule.until_success:
        assert sum(found.values()) <= width


@pytest.mark.parametrize("begun", [False, True])
def test_gpu_time_is_measured_on_one_sample_first(begun: bool) -> None:
    account = Account(float("inf"), float("inf"), 100.0, {}, None, begun)
    assert [account.afford(i, 4) for i in range(3)] == [0 if begun else 1, 0, 0]
