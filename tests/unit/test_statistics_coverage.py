"""pass@k and its kin against exact rationals, the identities they obey, and what must stay missing."""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from store.analytics import statistics as st
from store.analytics.statistics import InvalidStatisticArgument

counts = some.integers(1, 60).flatmap(lambda n: some.tuples(some.just(n), some.integers(0, n)))
problem_sets = some.lists(counts, min_size=1, max_size=12)


def exact_fail(n: int, c: int, k: int) -> Fraction:
    return Fraction(math.comb(n - c, k), math.comb(n, k))


@given(counts, some.integers(0, 70))
def test_pass_at_k_is_the_exact_rational(count: tuple[int, int], k: int) -> None:
    n, c = count
    value = st.pass_at_k(n, c, k)
    if k > n:
        assert value is None
    else:
        assert value == pytest.approx(float(1 - exact_fail(n, c, k)), rel=1e-13, abs=1e-15)


@pytest.mark.parametrize(("n", "c", "k"), [(10_000, 1, 1_000), (10_000, 7, 9_000), (10_000, 122, 2), (9_999, 3_000, 5)])
def test_pass_at_k_keeps_its_digits_at_large_n(n: int, c: int, k: int) -> None:
    assert st.pass_at_k(n, c, k) == pytest.approx(float(1 - exact_fail(n, c, k)), rel=5e-15)


@given(counts)
def test_first_and_last_k(count: tuple[int, int]) -> None:
    n, c = count
    assert st.pass_at_k(n, c, 1) == c / n
    assert st.pass_at_k(n, c, n) == float(c > 0)
    assert st.pass_hat_k(n, c, 1) == c / n
    assert st.pass_hat_k(n, c, n) == float(c == n)


@given(counts)
def test_curve_rises_and_bends_down(count: tuple[int, int]) -> None:
    n, c = count
    curve = st.pass_at_k(n, c, np.arange(n + 1))
    steps = np.diff(curve)
    assert np.all(steps >= -1e-15)
    assert np.all(np.diff(steps) <= 1e-14)


@given(counts, some.integers(1, 60))
def test_pass_hat_and_pass_at_mirror_each_other(count: tuple[int, int], k: int) -> None:
    n, c = count
    wrong = st.pass_at_k(n, n - c, k)
    assert st.pass_hat_k(n, c, k) == (None if wrong is None else pytest.approx(1 - wrong, abs=1e-12))


@given(some.lists(counts, min_size=1, max_size=40), some.lists(some.integers(0, 70), min_size=1, max_size=6))
def test_grid_and_arrays_say_what_scalars_say(problems: list[tuple[int, int]], ks: list[int]) -> None:
    n, c = (np.array(part) for part in zip(*problems, strict=True))
    grid = st.pass_at_k_grid(n, c, np.array(ks))
    scalars = [[st.pass_at_k(a, b, k) for k in ks] for a, b in problems]
    np.testing.assert_allclose(grid, np.array(scalars, dtype=float), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(st.pass_at_k(n[:, None], c[:, None], np.array(ks)), grid, rtol=1e-12, atol=1e-15)


def test_grid_of_many_problems_shares_tables() -> None:
    random = np.random.default_rng(3)
    c = random.binomial(2_000, random.beta(0.3, 4, 300))
    ks = np.array([1, 2, 17, 300, 1_999, 2_000, 2_001])
    grid = st.pass_at_k_grid(np.full(300, 2_000), c, ks)
    assert np.isnan(grid[:, -1]).all()
    for row in (0, 100, 299):
        exact = [float(1 - exact_fail(2_000, int(c[row]), int(k))) for k in ks[:-1]]
        np.testing.assert_allclose(grid[row, :-1], exact, rtol=1e-13, atol=1e-15)


def test_log_fail_where_pass_rounds_to_one() -> None:
    assert st.pass_at_k(10_000, 5_000, 1_000) == 1.0
    exact = math.log(exact_fail(10_000, 5_000, 1_000).numerator) - math.log(
        exact_fail(10_000, 5_000, 1_000).denominator
    )
    assert st.log_fail_at_k(10_000, 5_000, 1_000) == pytest.approx(exact, rel=1e-13)
    assert st.log_fail_at_k(10, 5, 6) == -math.inf
    assert st.log_fail_at_k(10, 5, 11) is None


@given(counts, some.integers(1, 30))
def test_within_variance_is_unbiased(count: tuple[int, int], k: int) -> None:
    n, c = count
    value = st.pass_at_k_within_var(n, c, k)
    if 2 * k > n:
        assert value is None
    else:
        expected = exact_fail(n, c, k) ** 2 - exact_fail(n, c, 2 * k)
        assert value == pytest.approx(float(expected), abs=1e-13)
        assert value >= 0


def test_within_variance_expectation_over_the_binomial() -> None:
    n, k, p = 12, 3, 0.3
    pmf = [math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    pass_ = [st.pass_at_k(n, c, k) or 0.0 for c in range(n + 1)]
    mean = sum(w * x for w, x in zip(pmf, pass_, strict=True))
    variance = sum(w * (x - mean) ** 2 for w, x in zip(pmf, pass_, strict=True))
    assert mean == pytest.approx(1 - (1 - p) ** k)
    assert sum(w * (st.pass_at_k_within_var(n, c, k) or 0.0) for c, w in enumerate(pmf)) == pytest.approx(variance)


def test_plugin_is_biased_where_the_estimator_is_not() -> None:
    assert st.pass_at_k_plugin_biased(100, 1, 100) == pytest.approx(0.634, abs=1e-3)
    assert st.pass_at_k(100, 1, 100) == 1.0


@pytest.mark.parametrize("tau", ["0", "0.25", "0.5", "0.7", "1"])
def test_g_pass_counts_subsets(tau: str) -> None:
    n, c, k = 9, 4, 6
    need = max(1, math.ceil(Fraction(tau) * k))
    subsets = [sum(i < c for i in subset) for subset in combinations(range(n), k)]
    assert st.g_pass_at_k(n, c, k, tau) == pytest.approx(np.mean([hits >= need for hits in subsets]))
    assert st.mg_pass_at_k(n, c, k) == pytest.approx(2 / k * np.mean([max(hits - 3, 0) for hits in subsets]))


def test_g_pass_threshold_is_not_rounded_up_by_floats() -> None:
    # 0.7 * 10 is 7.000000000000001 in floats for some spellings; the decimal text says 7.
    assert st.g_pass_at_k(10, 7, 10, "0.7") == 1.0
    assert st.g_pass_at_k(100, 55, 100, "0.55") == 1.0
    assert st.g_pass_at_k(5, 2, 6, "0.5") is None
    assert st.mg_pass_at_k(5, 2, 6) is None


def test_large_reliability_is_quick_and_close() -> None:
    exact = sum(Fraction(math.comb(600, j) * math.comb(400, 500 - j), math.comb(1_000, 500)) for j in range(300, 501))
    assert st.g_pass_at_k(1_000, 600, 500, "0.6") == pytest.approx(float(exact), abs=1e-12)


def test_unverified_brackets() -> None:
    parts = st.pass_at_k_unverified(2, 5, 3, 8)
    assert parts.lower is not None
    assert parts.upper is not None
    assert parts.lower < parts.upper
    assert parts.mar is None


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, -1, 1), (-1, 0, 1), (5, 2, -1), (5, 2.5, 1)])
def test_bad_counts_are_named(n: int, c: int, k: int) -> None:
    with pytest.raises(InvalidStatisticArgument) as caught:
        st.pass_at_k(n, c, k)
    assert "\n" not in str(caught.value)


# --- Over problems ---


@given(problem_sets, some.integers(1, 60))
def test_policies(problems: list[tuple[int, int]], k: int) -> None:
    n, c = zip(*problems, strict=True)
    known = [float(1 - exact_fail(a, b, k)) for a, b in problems if a >= k]
    strict, complete, bounds = (st.coverage(n, c, k, policy) for policy in ("strict", "complete_case", "bounds"))
    assert strict.largest_k == min(n)
    assert complete.problems_used == len(known)
    assert complete.value == (pytest.approx(np.mean(known)) if known else None)
    assert bounds.lower is not None
    assert bounds.upper is not None
    if k <= min(n):
        assert strict.value == complete.value == pytest.approx(bounds.lower)
        assert bounds.lower == bounds.upper
    else:
        assert strict.value is None
        assert bounds.value is None
        assert str(min(n)) in (strict.reason or "")
        low = [float(1 - exact_fail(a, b, min(a, k))) for a, b in problems]
        high = [float(1 - exact_fail(a, b, k)) if a >= k else 1.0 for a, b in problems]
        assert bounds.lower == pytest.approx(np.mean(low))
        assert bounds.upper == pytest.approx(np.mean(high))


@given(problem_sets.filter(lambda problems: len(problems) > 1))
def test_intervals_hold_the_value_and_are_never_a_point(problems: list[tuple[int, int]]) -> None:
    n, c = (np.array(part) for part in zip(*problems, strict=True))
    curve = st.coverage_curve(n, c, np.arange(1, n.min() + 2), band=True)
    assert np.isnan([curve.value[-1], curve.low[-1], curve.high[-1], curve.band_low[-1]]).all()
    inside = slice(0, -1)
    assert np.all(curve.low[inside] <= curve.value[inside] + 1e-12)
    assert np.all(curve.value[inside] <= curve.high[inside] + 1e-12)
    assert np.all(curve.high[inside] > curve.low[inside])
    assert np.all(curve.band_low[inside] <= curve.low[inside] + 1e-12)
    assert np.all(curve.band_high[inside] >= curve.high[inside] - 1e-12)


@given(problem_sets, some.randoms())
def test_order_of_problems_does_not_matter(problems: list[tuple[int, int]], random: object) -> None:
    shuffled = sorted(problems, key=lambda _: random.random())  # type: ignore[attr-defined]
    a = st.coverage_curve(*zip(*problems, strict=True), [1, 2, 5], "complete_case")
    b = st.coverage_curve(*zip(*shuffled, strict=True), [1, 2, 5], "complete_case")
    np.testing.assert_allclose(a.value, b.value)
    np.testing.assert_allclose(a.low, b.low)


def test_curve_agrees_with_the_single_budget() -> None:
    n, c = [20] * 8, [0, 0, 1, 2, 5, 9, 14, 20]
    curve = st.coverage_curve(n, c, [1, 5, 20])
    error = st.coverage_error(n, c, 5)
    assert error is not None
    interval = st.wilson_interval(error)
    assert interval is not None
    assert (curve.value[1], curve.standard_error[1]) == pytest.approx((error.mean, error.se))
    assert (curve.low[1], curve.high[1]) == pytest.approx((interval.lo, interval.hi))
    assert curve.effective_problems[1] == pytest.approx(interval.n_eff)


@pytest.mark.parametrize(("n", "c", "k"), [(50, 1, 3), (20, 4, 3), (100, 33, 2), (100, 60, 30)])
def test_equal_problems_have_no_error_and_an_interval_of_their_number(n: int, c: int, k: int) -> None:
    """What rounding leaves of the error must not make the interval vanish."""
    curve = st.coverage_curve([n] * 19, [c] * 19, [k])
    error = st.coverage_error([n] * 19, [c] * 19, k)
    assert error is not None
    interval = st.wilson_interval(error)
    assert interval is not None
    assert curve.effective_problems[0] == interval.n_eff == 19
    assert interval.hi - interval.lo > 0.01


def test_fixed_error_is_the_noise_of_sampling_alone() -> None:
    n, c, k = [20, 20, 30], [3, 9, 0], 5
    error = st.coverage_error(n, c, k, "fixed")
    assert error is not None
    parts = [st.pass_at_k_within_var(a, b, k) or 0.0 for a, b in zip(n, c, strict=True)]
    assert error.se == pytest.approx(math.sqrt(sum(parts)) / 3)
    too_far = st.coverage_error(n, c, 11, "fixed")
    assert too_far is not None
    assert too_far.se is None
    assert st.coverage_error(n, c, 21) is None


def test_clusters_of_one_are_the_population_error() -> None:
    n, c = [20] * 5, [0, 1, 5, 9, 20]
    plain, clustered = st.coverage_error(n, c, 3), st.coverage_error(n, c, 3, "clustered", list("abcde"))
    assert plain is not None
    assert clustered is not None
    assert clustered.se == pytest.approx(plain.se)
    together = st.coverage_error(n, c, 3, "clustered", ["a"] * 5)
    assert together is not None
    assert together.se is None
    with pytest.raises(InvalidStatisticArgument, match="cluster"):
        st.coverage_error(n, c, 3, "clustered")


def test_no_problem_and_one_problem() -> None:
    assert st.coverage([], [], 1).value is None
    assert np.isnan(st.coverage_curve([], [], [1, 2]).value).all()
    alone = st.coverage_curve([10], [3], [1, 10])
    assert alone.value.tolist() == [0.3, 1.0]
    assert np.isnan(alone.low).all()
    assert st.coverage([0, 5], [0, 2], 1, "complete_case").value == 0.4
    assert st.coverage([0, 5], [0, 2], 1).value is None


def test_default_interval_covers_what_it_should() -> None:
    random = np.random.default_rng(7)
    truth, hits, rounds = 0.3 / 5.3, 0, 400
    for _ in range(rounds):
        c = random.binomial(50, random.beta(0.3, 5, 100))
        curve = st.coverage_curve(np.full(100, 50), c, [1])
        hits += bool(curve.low[0] <= truth <= curve.high[0])
    assert 0.91 <= hits / rounds <= 0.99


def test_one_sided_bound_lies_above_the_two_sided() -> None:
    error = st.coverage_error([20] * 6, [20, 20, 19, 20, 20, 20], 10)
    assert error is not None
    interval = st.wilson_interval(error)
    bound = st.one_sided_lower(error)
    assert interval is not None
    assert bound is not None
    assert interval.lo < bound < error.mean


@pytest.mark.parametrize("arguments", [{"policy": "lenient"}, {"level": 1.0}, {"level": float("nan")}])
def test_bad_options_are_named(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidStatisticArgument):
        st.coverage_curve([5, 5], [1, 2], [1], **arguments)  # type: ignore[arg-type]


def test_unverified_curves_keep_their_order() -> None:
    curves = st.coverage_curves_unverified([2, 0, 5], [5, 9, 5], [3, 1, 0], [1, 2, 7])
    assert np.all(curves.lower.value <= curves.mar.value)
    assert np.all(curves.mar.value <= curves.upper.value)


@settings(max_examples=30)
@given(counts, some.floats(0, 60))
def test_fractional_budget_is_linear_between_whole_ones(count: tuple[int, int], k: float) -> None:
    n, c = count
    value = st.randomized_pass_at_k(n, c, k)
    if math.ceil(k) > n:
        assert value is None
    else:
        low, high = st.pass_at_k(n, c, math.floor(k)), st.pass_at_k(n, c, math.ceil(k))
        assert value == pytest.approx((low or 0.0) + (k - math.floor(k)) * ((high or 0.0) - (low or 0.0)))
