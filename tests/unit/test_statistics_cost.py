"""Costs: attempts and dollars against all orders of samples, ratios with their intervals, what money buys."""

import math
from datetime import date
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from store.analytics import statistics as st
from store.analytics.statistics import InvalidStatisticArgument

outcomes = some.lists(some.tuples(some.integers(0, 1), some.integers(0, 20)), min_size=1, max_size=6)


@settings(max_examples=40)
@given(outcomes)
def test_expected_attempts_and_dollars_over_all_orders(samples: list[tuple[int, int]]) -> None:
    success, costs = zip(*samples, strict=True)
    n, c = len(samples), sum(success)
    for k in range(n + 1):
        drawn = []
        for order in permutations(samples):
            stop = next((i + 1 for i, (solved, _) in enumerate(order) if solved), n)
            drawn.append(order[: min(stop, k)])
        assert st.expected_attempts(n, c, k) == pytest.approx(np.mean([len(one) for one in drawn]))
        dollars = np.mean([sum(cost for _, cost in one) for one in drawn])
        assert st.expected_cost_to_first_success(costs, success, k) == pytest.approx(dollars, abs=1e-9)
    assert st.expected_cost_to_first_success(costs, success, n + 1) is None


@given(some.integers(1, 60).flatmap(lambda n: some.tuples(some.just(n), some.integers(0, n), some.integers(0, n + 3))))
def test_attempts_are_the_sum_of_failures(count: tuple[int, int, int]) -> None:
    n, c, k = count
    value = st.expected_attempts(n, c, k)
    if k > n + 1:
        assert value is None
        return
    fails = [1 - (st.pass_at_k(n, c, j) or 0.0) for j in range(k)]
    assert value == pytest.approx(sum(fails), abs=1e-9)
    assert st.expected_attempts_batched(n, c, k, 1) == pytest.approx(value, abs=1e-9)


@settings(max_examples=40)
@given(outcomes, some.integers(1, 4))
def test_batched_attempts_over_all_orders(samples: list[tuple[int, int]], batch: int) -> None:
    n, c = len(samples), sum(solved for solved, _ in samples)
    for k in range(1, n + 1):
        drawn = []
        for order in permutations(samples):
            count = 0
            while count < k:
                size = min(batch, k - count)
                solved = any(one for one, _ in order[count : count + size])
                count += size
                if solved:
                    break
            drawn.append(count)
        assert st.expected_attempts_batched(n, c, k, batch) == pytest.approx(np.mean(drawn))
    assert st.expected_attempts_batched(n, c, n + 2, 1) is None


@given(some.integers(1, 30).flatmap(lambda n: some.tuples(some.just(n), some.integers(0, n))), some.integers(1, 30))
def test_equal_costs_are_attempts_times_price(count: tuple[int, int], k: int) -> None:
    n, c = count
    dollars = st.expected_cost_to_first_success([0.5] * n, [1] * c + [0] * (n - c), k)
    attempts = st.expected_attempts(n, c, k)
    assert dollars == (None if k > n or attempts is None else pytest.approx(0.5 * attempts))


def test_coverage_at_cost_is_missing_beyond_n() -> None:
    cost, solved = st.coverage_at_cost([10, 4], [2, 1], [2, 5], unit_cost=[1.0, 3.0])
    first = [st.expected_attempts(10, 2, 2) or 0.0, st.expected_attempts(4, 1, 2) or 0.0]
    assert cost[0] == pytest.approx(first[0] + 3 * first[1])
    assert np.isnan([cost[1], solved[1]]).all()


def test_five_token_classes_and_the_prompt_paid_once() -> None:
    prices = st.TokenPrices(input=3, output=15, cached_input=0.3, cache_write=3.75, reasoning=10, request=0.01)
    request = st.TokenRequest(1_000, (200, 300), 400, 100, (50, 0))
    split = st.sample_costs_usd(request, prices)
    assert split.prompt == pytest.approx((500 * 3 + 400 * 0.3 + 100 * 3.75) / 1e6 + 0.01)
    assert split.marginal == pytest.approx(((150 * 15 + 50 * 10) / 1e6, 300 * 15 / 1e6))
    total = st.token_cost_usd([request], prices)
    assert sum(split.allocated) == pytest.approx(total)
    assert total == pytest.approx(split.prompt + sum(split.marginal))
    alone = st.token_cost_usd([st.TokenRequest(1_000, (n,)) for n in (200, 300)], st.TokenPrices(3, 15))
    shared = st.token_cost_usd([st.TokenRequest(1_000, (200, 300))], st.TokenPrices(3, 15))
    assert alone - shared == pytest.approx(1_000 * 3 / 1e6)


def test_price_sheets_by_date() -> None:
    sheets = [(date(2025, 1, 1), st.TokenPrices(3, 15)), (date(2025, 6, 1), st.TokenPrices(2, 10))]
    assert st.prices_on(sheets, date(2024, 12, 31)) is None
    assert st.prices_on(sheets, date(2025, 5, 31)) == st.TokenPrices(3, 15)
    assert st.prices_on(sheets, date(2025, 6, 1)) == st.TokenPrices(2, 10)


@pytest.mark.parametrize(
    "make",
    [
        lambda: st.TokenPrices(-1, 2),
        lambda: st.TokenPrices(1, math.nan),
        lambda: st.TokenRequest(10, (5,), cached_prompt_tokens=11),
        lambda: st.TokenRequest(10, (5,), reasoning_tokens=(6,)),
        lambda: st.TokenRequest(10, (5, 5), reasoning_tokens=(1,)),
        lambda: st.TokenRequest(10, (-5,)),
        lambda: st.gpu_cost_usd(10, 0, 1),
        lambda: st.inference_flops(10, 2, 3, -1, [1]),
        lambda: st.expected_attempts_batched(5, 1, 3, 0),
        lambda: st.expected_cost_to_first_success([1.0], [2], 1),
        lambda: st.ratio_interval([1.0, 2.0], [1.0]),
        lambda: st.cost_per_solved(-1, 2),
        lambda: st.quality_at_cost([2, 1], [0.1, 0.2], 1.5),
    ],
)
def test_bad_arguments_are_one_clear_line(make: object) -> None:
    with pytest.raises(InvalidStatisticArgument) as caught:
        make()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_flops_are_the_sum_over_tokens() -> None:
    parameters, layers, width, prompt, lengths = 1_000, 2, 8, 5, [3, 4]
    total = 0
    for position in range(1, prompt + 1):
        total += 2 * parameters + 4 * layers * width * position
    for length in lengths:
        for position in range(prompt + 1, prompt + length + 1):
            total += 2 * parameters + 4 * layers * width * position
    assert st.inference_flops(parameters, layers, width, prompt, lengths) == total


def test_published_table_of_costs() -> None:
    for attempts, price, share, total in ((5, 0.0072, 0.2962, 10.8), (1, 0.13, 0.24, 39.0), (1, 0.17, 0.267, 51.0)):
        cost = st.campaign_cost_per_solved(300, attempts, price, share)
        assert cost.total_usd == pytest.approx(total)
        assert cost.expected_solved == pytest.approx(300 * share)
    assert st.cost_per_solved(5.0, 0.0).usd_per_solved is None


def test_ratio_interval_and_its_gaps() -> None:
    cost, solved = [1.2, 3.0, 0.7, 2.2, 3.1, 1.9], [1, 0, 1, 1, 0, 1]
    found = st.ratio_interval(cost, solved)
    assert found.fieller is not None
    assert found.bootstrap is not None
    assert found.fieller[0] < 3.025 < found.fieller[1]
    assert found.bootstrap[0] < 3.025 < found.bootstrap[1]
    assert found == st.ratio_interval(cost, solved)
    rare = st.ratio_interval([1.0] * 8, [1] + [0] * 7)
    assert rare.ratio == 8.0
    assert rare.fieller is None
    assert rare.bootstrap is None
    assert st.ratio_interval([1.0, 2.0], [0, 0]).ratio is None
    assert st.ratio_interval([1.0], [1]).delta_se is None


def test_fieller_solves_its_equation() -> None:
    random = np.random.default_rng(2)
    x, y = random.gamma(3, 1, 40), random.beta(2, 1, 40)
    limits = st.ratio_interval(x, y, resamples=0).fieller
    assert limits is not None
    for ratio in limits:
        d = x - ratio * y
        assert abs(d.mean()) / (d.std(ddof=1) / math.sqrt(40)) == pytest.approx(stats.t.ppf(0.975, 39))


def test_cost_curve_matches_the_single_budget() -> None:
    n, c, price = [10] * 12, [0, 2, 5, 9] * 3, np.array([0.1, 0.2, 0.1, 0.3] * 3)
    curve = st.cost_per_solved_curve(n, c, price, [1, 4, 11])
    solved = [st.pass_at_k(10, one, 4) or 0.0 for one in c]
    single = st.ratio_interval(4 * price, solved, resamples=0)
    assert curve.usd_per_solved[1] == pytest.approx(single.ratio)
    assert single.fieller is not None
    assert (curve.low[1], curve.high[1]) == pytest.approx(single.fieller)
    assert curve.total_usd[0] == pytest.approx(2.1)
    assert np.isnan([curve.usd_per_solved[2], curve.total_usd[2], curve.low[2]]).all()
    never = st.cost_per_solved_curve([5, 5], [0, 0], 1.0, [2])
    assert math.isnan(never.usd_per_solved[0])
    assert never.total_usd[0] == 4.0


def test_frontier_target_and_equal_money() -> None:
    offers = [st.Offer("a", 1, 0.2), st.Offer("b", 2, 0.2), st.Offer("c", 3, 0.5), st.Offer("a2", 1, 0.2)]
    assert [one.name for one in st.pareto_frontier(offers)] == ["a", "a2", "c"]
    cheapest = st.cheapest_for_target(offers, 0.3)
    assert cheapest is not None
    assert cheapest.name == "c"
    assert st.cheapest_for_target(offers, 0.6) is None
    assert st.quality_at_cost([1, 3], [0.2, 0.6], 2.0) == pytest.approx(0.4)
    assert st.quality_at_cost([1, 3], [0.2, 0.6], 3.1) is None
    assert st.quality_at_cost([1, 3, 5], [0.2, 0.6, math.nan], 4.0) is None
    assert st.affordable_k(13.0, 4.0) == 3.25
    assert st.pareto_frontier([]) == []
