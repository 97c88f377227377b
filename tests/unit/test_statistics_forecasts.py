"""Forecasts: the laws recover what made the data, the interval joins laws, and what is unknown is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import optimize, special, stats

from store.analytics import statistics as st
from store.analytics.statistics import InvalidStatisticArgument


def drawn_counts(problems: int, n: int, alpha: float, beta: float, seed: int, impossible: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    p = np.where(random.random(problems) < impossible, 0.0, random.beta(alpha, beta, problems))
    return random.binomial(n, p)


@given(some.floats(0.05, 20), some.floats(0.05, 20), some.integers(0, 2_000))
def test_beta_pass_at_k_by_quadrature(alpha: float, beta: float, k: int) -> None:
    terms = np.arange(k)
    failing = math.exp(np.sum(np.log(beta + terms) - np.log(alpha + beta + terms)))
    assert st.beta_pass_at_k(alpha, beta, k) == pytest.approx(1 - failing, abs=1e-10)


@pytest.mark.parametrize("k", [0, 1, 10, 10_000])
def test_families_meet_where_they_are_equal(k: int) -> None:
    assert st.scaled_beta_pass_at_k(0.3, 4, 1.0, k) == pytest.approx(st.beta_pass_at_k(0.3, 4, k), abs=1e-9)
    assert st.kumaraswamy_pass_at_k(1, 4, k) == pytest.approx(st.beta_pass_at_k(1, 4, k), abs=1e-9)
    assert st.kumaraswamy_pass_at_k(0.3, 1, k) == pytest.approx(st.beta_pass_at_k(0.3, 1, k), abs=1e-9)


def test_scaled_beta_is_the_hypergeometric_series() -> None:
    for k in (1, 3, 12):
        series = 1 - float(special.hyp2f1(-k, 0.7, 2.2, 0.4))
        assert st.scaled_beta_pass_at_k(0.7, 1.5, 0.4, k) == pytest.approx(series, abs=1e-12)
    # 2F1 to 40 digits, where 200 nodes of Gauss-Jacobi are off by 1e-9 and 1e-7.
    assert st.scaled_beta_pass_at_k(0.1, 1, 0.9, 10_000) == pytest.approx(0.6172510266632371, abs=1e-11)
    assert st.scaled_beta_pass_at_k(0.3, 4, 0.2, 10**6) == pytest.approx(0.9620909311355397, abs=1e-11)


def test_loglik_is_the_beta_binomial_of_scipy() -> None:
    n, c = [10, 10, 25], [0, 3, 25]
    expected = sum(stats.betabinom(a, 0.6, 2.0).logpmf(b) for a, b in zip(n, c, strict=True))
    assert st.beta_binomial_loglik(n, c, 0.6, 2.0) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_mle_is_the_optimum(seed: int) -> None:
    n = np.array([50] * 60 + [80] * 60)
    c = drawn_counts(120, 50, 0.4, 3.0, seed)
    fit = st.beta_binomial_mle(n, c)
    assert fit is not None

    def loss(logs: np.ndarray) -> float:
        return -st.beta_binomial_loglik(n, c, *np.exp(logs))

    other = optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert fit.neg_loglik == pytest.approx(other.fun, abs=1e-6)
    assert fit.neg_loglik == pytest.approx(-st.beta_binomial_loglik(n, c, fit.alpha, fit.beta))
    assert np.log([fit.alpha, fit.beta]) == pytest.approx(other.x, abs=1e-3)


def test_degenerate_counts_have_no_fit() -> None:
    assert st.beta_binomial_mle(10, [0, 0, 0]) is None
    assert st.beta_binomial_mle(10, [10, 10]) is None
    assert st.zero_inflated_mle([], []) is None
    assert st.beta_binomial_mle(10, [5] * 20) is None
    assert st.zero_inflated_mle(10, [5] * 20) is None
    # One rate for those that can be solved at all: nothing says how their rates spread.
    assert st.zero_inflated_mle(10, [5] * 20 + [0] * 20) is None
    assert st.beta_binomial_mle(10, [5] * 20 + [0] * 20) is not None


def test_counts_of_one_rate_are_forecast_by_no_beta_law() -> None:
    found = st.forecast_coverage(10, [5] * 20, [20])
    assert {law.law for law in found.laws} <= {"power_law_log", "power_law_coverage"}
    likelihood = st.forecast_coverage(10, [5] * 20, [20], ("beta_binomial", "zero_inflated"))
    assert likelihood.laws == ()
    assert likelihood.refused is not None
    assert "one success rate for all" in likelihood.refused


def test_zero_inflation_is_found_and_not_invented() -> None:
    mixed = drawn_counts(400, 200, 2.0, 8.0, 1, impossible=0.4)
    fit = st.zero_inflated_mle(200, mixed)
    assert fit is not None
    assert fit.impossible == pytest.approx(0.4, abs=0.07)
    test = st.zero_inflation_test(200, mixed)
    assert test is not None
    assert test.p < 1e-6
    plain = st.zero_inflation_test(100, drawn_counts(200, 100, 0.5, 2.0, 2))
    assert plain is not None
    assert plain.p > 0.05
    assert fit.pass_at_k(10**6) == pytest.approx(1 - fit.impossible, abs=1e-3)


def test_power_law_and_its_inverse() -> None:
    assert st.power_law_required_k(-3.0, -0.4, 0.7) == pytest.approx((math.log(0.7) / -3) ** (1 / -0.4))
    assert st.power_law_required_k(-3.0, -0.4, 1.0) is None
    assert st.power_law_required_k(-3.0, 0.1, 0.9) is None
    assert st.power_law_required_k(-0.1, -0.4, 0.5) == pytest.approx((math.log(0.5) / -0.1) ** (1 / -0.4))
    assert st.power_law_required_k(-0.1, 0.4, 0.5) == 1.0
    assert st.power_law_required_k(0.0, -0.4, 0.5) == 1.0
    assert st.power_law_required_k(-3.0, -1e-9, 0.9) is None
    with pytest.raises(InvalidStatisticArgument, match="k = 1"):
        st.power_law(-1, -0.5, [0, 1])


@settings(max_examples=25)
@given(some.floats(-6, -0.2), some.floats(-0.9, -0.05))
def test_noise_free_curves_are_recovered_by_every_fit(a: float, b: float) -> None:
    ks = st.fit_budgets(10_000)
    curve = st.power_law(a, b, ks)
    for space in ("log", "coverage", "log_log"):
        fit = st.fit_power_law(ks, curve, space)
        assert fit is not None
        assert (fit.a, fit.b) == pytest.approx((a, b), abs=1e-5)
        assert fit.max_residual < 1e-6


def test_fits_differ_on_noisy_curves_and_refuse_empty_ones() -> None:
    ks = st.fit_budgets(1_000)
    curve = np.clip(st.power_law(-3, -0.4, ks) + 0.02 * np.sin(ks), 0.001, 1)
    log, direct = st.fit_power_law(ks, curve, "log"), st.fit_power_law(ks, curve, "coverage")
    assert log is not None
    assert direct is not None
    in_coverage = [float(np.sum((fit.pass_at_k(ks) - curve) ** 2)) for fit in (log, direct)]
    in_logs = [float(np.sum((np.log(fit.pass_at_k(ks)) - np.log(curve)) ** 2)) for fit in (log, direct)]
    assert in_coverage[1] <= in_coverage[0] + 1e-12
    assert in_logs[0] <= in_logs[1] + 1e-12
    assert st.fit_power_law([1, 2, 3], [0, 0, 0]) is None
    assert st.fit_power_law([1, 2, 3], [1, 1, 1]) is None
    assert st.fit_power_law([5], [0.5]) is None


def test_fit_budgets_follow_the_recipe() -> None:
    ks = st.fit_budgets(10_000)
    assert ks[0] == 1
    assert ks[-1] == 10_000
    assert len(set(ks.tolist())) == ks.size == 37


def test_forecast_joins_laws_and_carries_its_record() -> None:
    n, c = np.full(100, 60), drawn_counts(100, 60, 0.4, 5.0, 3)
    forecast = st.forecast_coverage(n, c, [60, 300, 600, 601], resamples=8, backtest_repeats=2)
    assert forecast.refused is None
    assert forecast.horizon == 600
    assert forecast.ratio[1] == 5.0
    assert [law.law for law in forecast.laws] == list(st.DEFAULT_LAWS)
    assert np.isnan([forecast.low[3], forecast.high[3], forecast.laws[0].value[3]]).all()
    for law in forecast.laws:
        assert np.all(forecast.low[:3] <= law.value[:3])
        assert np.all(law.value[:3] <= forecast.high[:3])
        assert np.all(forecast.low[:3] <= law.low[:3])
        assert law.backtest is not None
        assert (law.backtest.thinned_n, law.backtest.n, law.backtest.repeats) == (6, 60, 2)
        assert abs(law.backtest.mean_error) <= law.backtest.mean_absolute_error + 1e-12
    assert forecast.laws[2].value[0] == pytest.approx(np.mean(c > 0), abs=0.1)
    again = st.forecast_coverage(n, c, [60, 300, 600, 601], resamples=8, backtest_repeats=2)
    np.testing.assert_array_equal(forecast.low, again.low)


def test_one_problem_has_a_forecast_and_no_interval() -> None:
    found = st.forecast_coverage([100], [7], [100, 1000], resamples=10, backtest_repeats=0)
    assert all(law.value[0] > 0.5 and np.isnan(law.low).all() and np.isnan(law.high).all() for law in found.laws)
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


def test_forecast_without_success_is_a_bound() -> None:
    forecast = st.forecast_coverage([50] * 4, [0] * 4, [100])
    assert forecast.laws == ()
    assert "200" in (forecast.refused or "")
    assert forecast.rate_bound == pytest.approx(1 - 0.05 ** (1 / 200))
    assert np.isnan(forecast.low).all()


@pytest.mark.parametrize(("n", "c"), [([], []), ([0, 5], [0, 2]), ([5, 5], [5, 5]), ([1, 1], [0, 1])])
def test_forecasts_that_cannot_be_made_say_why(n: list[int], c: list[int]) -> None:
    forecast = st.forecast_coverage(n, c, [10])
    assert forecast.refused
    assert forecast.laws == ()


def test_wider_horizon_on_request_and_no_bootstrap() -> None:
    n, c = np.full(40, 30), drawn_counts(40, 30, 0.5, 3.0, 5)
    forecast = st.forecast_coverage(n, c, [3_000], horizon_ratio=100, resamples=0, backtest_repeats=0)
    values = [law.value[0] for law in forecast.laws]
    assert (forecast.low[0], forecast.high[0]) == (min(values), max(values))
    assert forecast.laws[0].backtest is None
    with pytest.raises(InvalidStatisticArgument, match="laws"):
        st.forecast_coverage(n, c, [100], laws=("crystal_ball",))


def test_backtest_needs_enough_samples_and_thinning_is_hypergeometric() -> None:
    assert st.backtest("beta_binomial", [15, 15], [3, 4]) is None
    assert st.backtest("power_law_log", [100] * 20, [0] * 20) is None
    thin = st.thinned_counts(np.full(4_000, 20), np.full(4_000, 8), 5, seed=1)
    expected = stats.hypergeom(20, 8, 5)
    assert thin.mean() == pytest.approx(expected.mean(), abs=0.06)
    assert thin.var() == pytest.approx(expected.var(), abs=0.08)


def test_beta_binomial_forecasts_beta_data_well() -> None:
    truth = [st.beta_pass_at_k(0.5, 5.0, 1_000)]
    errors = []
    for seed in range(5):
        c = drawn_counts(300, 100, 0.5, 5.0, seed)
        fit = st.beta_binomial_mle(100, c)
        assert fit is not None
        errors.append(fit.pass_at_k(1_000) - truth[0])
    assert abs(np.mean(errors)) < 0.02
