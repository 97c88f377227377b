"""Where the next sample should go: the indexes against what they stand for, and against the analytics' array forms."""

import math

import pytest
from scipy import special, stats

from store import allocation
from store.analytics import statistics as st
from store.errors import InvalidStatisticArgument


def test_chance_to_be_solved_is_that_of_the_beta() -> None:
    expected = 1 - math.exp(special.betaln(0.3, 5 + 4 + 200) - special.betaln(0.3, 5 + 4))
    assert allocation.prob_solved_in_next(0.3, 5, 4, 200) == pytest.approx(expected, rel=1e-10)
    assert allocation.prob_solved_in_next(0.3, 5, 4, 1) == pytest.approx(allocation.hazard_next_attempt(0.3, 5, 4))
    assert allocation.prob_solved_in_next(0.3, 5, 4, 0) == 0.0


def test_one_prior_and_one_price_give_round_robin() -> None:
    attempts = [0, 0, 0]
    for _ in range(9):
        index = [allocation.solve_index(0.3, 5.0, fails) for fails in attempts]
        attempts[index.index(max(index))] += 1
    assert attempts == [3, 3, 3]
    assert allocation.solve_index(0.3, 5, 2, 4.0) == pytest.approx(allocation.solve_index(0.3, 5, 2) / 4)
    assert st.solve_index([0.3, 1.0], [5.0, 2.0], [2, 7], 4.0).tolist() == pytest.approx(
        [allocation.solve_index(0.3, 5, 2, 4.0), allocation.solve_index(1, 2, 7, 4.0)]
    )


def test_neyman_shares_follow_the_standard_deviation_per_root_of_cost() -> None:
    shares = allocation.neyman_shares([0.1, 0.5], 3, [1.0, 4.0])
    assert shares is not None
    first, second = (math.sqrt(p * (1 - p) ** 5 / cost) for p, cost in ((0.1, 1.0), (0.5, 4.0)))
    assert shares == pytest.approx([first / (first + second), second / (first + second)])
    assert allocation.neyman_shares([0.0, 1.0], 10) is None
    assert allocation.neyman_shares([], 10) is None


def test_leader_confidence_is_the_tail_of_a_beta() -> None:
    for first, second in ((0, 0), (5, 0), (7, 3), (40, 38)):
        assert allocation.leader_confidence(first, second) == pytest.approx(stats.beta(first + 1, second + 1).sf(0.5))


def test_a_prior_recovers_the_spread_of_the_problems() -> None:
    quantiles = [(i + 0.5) / 400 for i in range(400)]
    counts = [(100_000, round(100_000 * stats.beta(0.4, 3).ppf(q))) for q in quantiles]
    assert allocation.prior_of(counts) == pytest.approx((0.4, 3.0), rel=0.05)
    assert allocation.prior_of([(10, 3)]) == allocation.JEFFREYS
    assert allocation.prior_of([(10, 0), (10, 0)]) == allocation.JEFFREYS
    assert allocation.prior_of([(1, 0), (1, 1)]) == allocation.JEFFREYS


def test_what_cannot_be_is_refused() -> None:
    for call in (
        lambda: allocation.solve_index(0.3, 5, -1),
        lambda: allocation.solve_index(0.3, 5, 0, 0.0),
        lambda: allocation.neyman_shares([1.5], 3),
        lambda: allocation.neyman_shares([0.5], 3, [1.0, 2.0]),
        lambda: allocation.zero_success_upper_bound(5, 1.0),
        lambda: allocation.leader_confidence(-1, 0),
    ):
        with pytest.raises(InvalidStatisticArgument):
            call()
