"""Verifiers that err, comparisons of runs, and Bayesian side notes."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from store.analytics import statistics as st
from store.analytics.statistics import InvalidStatisticArgument

rates = some.floats(0, 1)


def test_confusion_without_cases_is_missing() -> None:
    nothing = st.verifier_confusion(0, 0, 0, 0)
    assert set(vars(nothing).values()) == {None}
    never = st.verifier_confusion(0, 0, 3, 7)
    assert (never.precision, never.recall, never.fpr, never.npv) == (None, 0.0, 0.0, 0.7)


def test_agreement_sums_over_problems_and_shows_where_false_positives_sit() -> None:
    tp, fp, fn, tn = [5, 0, 9], [0, 8, 0], [1, 0, 1], [4, 2, 0]
    found = st.verifier_agreement(tp, fp, fn, tn)
    pooled = st.verifier_confusion(14, 8, 2, 6)
    assert (found.precision.value, found.recall.value) == (pooled.precision, pooled.recall)
    assert (found.fpr.value, found.npv.value) == (pooled.fpr, pooled.npv)
    assert found.macro_fpr == pytest.approx((0 / 4 + 8 / 10) / 2)
    assert found.false_positive_problems == 1
    naive = math.sqrt(found.fpr.value * (1 - found.fpr.value) / 14)
    assert found.fpr.se is not None
    assert found.fpr.se > naive


def test_clustered_rate_of_singletons_is_the_binomial_error() -> None:
    x = [1, 0, 1, 1, 0, 0, 1, 1]
    rate = st.clustered_rate(x, [1] * 8)
    assert rate.se == pytest.approx(np.std(x, ddof=1) / math.sqrt(8))
    assert st.clustered_rate([0], [0]).value is None
    assert st.clustered_rate([1], [2]).se is None


@given(rates, rates, rates, some.integers(0, 300))
def test_imperfect_verifier_parts_add_up(p: float, tpr: float, fpr: float, k: int) -> None:
    parts = st.imperfect_verifier(p, tpr, fpr, k)
    assert parts.correct + parts.false_accept + parts.none == pytest.approx(1.0)
    assert parts.apparent_pass_at_k == pytest.approx(1 - parts.none)
    assert 0 <= parts.correct <= parts.apparent_pass_at_k + 1e-12


def test_an_impossible_problem_looks_solved() -> None:
    shown = [st.imperfect_verifier(0.0, 1.0, fpr, k).apparent_pass_at_k for fpr, k in ((0.001, 100), (0.001, 1_000))]
    assert shown == pytest.approx([0.095, 0.632], abs=1e-3)
    assert st.imperfect_verifier(0.0, 1.0, 0.0, 10).precision_limit is None
    gold = st.imperfect_verifier(0.2, 1.0, 0.0, 7)
    assert gold.correct == pytest.approx(gold.true_pass_at_k)


def test_optimal_resamples_scans_every_k() -> None:
    two_peaks = {
        "type_success": [0.9, 0.02],
        "type_prior": [0.5, 0.5],
        "tpr": 1.0,
        "fpr": 0.0,
        "reward_correct": 1.0,
        "reward_false_accept": 0.0,
        "cost_per_attempt": 0.015,
        "k_max": 100,
    }
    utility = st.resample_utility(**two_peaks)
    best = st.optimal_resamples(**two_peaks)
    assert best.utility == max(utility)
    assert utility[0] == 0.0
    hopeless = st.optimal_resamples([0.0], [1.0], 1.0, 0.5, 1.0, -1.0, 0.0, 10)
    assert (hopeless.k_star, hopeless.utility) == (0, 0.0)


def test_rogan_gladen_clips_and_refuses() -> None:
    assert st.rogan_gladen(1, 200, 0.95, 0.02) == 0.0
    assert st.rogan_gladen(200, 200, 0.95, 0.02) == 1.0
    assert st.rogan_gladen(5, 10, 0.5, 0.5) is None
    assert st.rogan_gladen(0, 0, 0.9, 0.1) is None


@pytest.mark.parametrize(("runs", "flip"), [(1, 0.3), (5, 0.2), (11, 0.45), (4, 0.3)])
def test_repeated_verification_error(runs: int, flip: float) -> None:
    chance = sum(
        math.prod(flip if turned else 1 - flip for turned in way)
        for way in product((0, 1), repeat=runs)
        if 2 * sum(way) > runs
    )
    assert st.repeat_verify_majority_error(runs, flip) == pytest.approx(chance)


def test_majority_verdict_and_paired_counts() -> None:
    assert st.majority_verdict([True, True, False]) is True
    assert st.majority_verdict([True, False]) is None
    assert st.majority_verdict([]) is None
    assert st.disagreements([True, True, False, None], [True, False, False, True]) == (1, 1, 0, 1)
    assert st.gap_closed(0.5, 0.4, 0.4) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: st.imperfect_verifier(1.2, 1, 0, 1),
        lambda: st.imperfect_verifier(float("nan"), 1, 0, 1),
        lambda: st.resample_until_accept(5, 6, 1, 1),
        lambda: st.resample_until_accept(5, 2, 3, 1),
        lambda: st.verifier_confusion(-1, 0, 0, 0),
        lambda: st.repeat_verify_majority_error(0, 0.3),
        lambda: st.rogan_gladen(3, 2, 0.9, 0.1),
        lambda: st.paired_difference([1.0], [1.0, 2.0]),
        lambda: st.paired_difference([math.nan], [1.0]),
        lambda: st.mcnemar_exact(-1, 0),
        lambda: st.sample_size_paired(0.1, 0.1, 0.1, 0, 1, 0.03),
        lambda: st.beta_posterior_pass_at_k(5, 2, 1, 0, 1),
        lambda: st.dirichlet_bayes([[0, 3]], [0, 1, 2]),
        lambda: st.dirichlet_bayes([[0, 1], [1]], [0, 1]),
        lambda: st.g_pass_at_k(10, 3, 4, "half"),
        lambda: st.inference_flops(8, 1, 1, 1.5, [1]),  # type: ignore[arg-type]
        lambda: st.neyman_allocation([0.5], 0),
        lambda: st.zero_success_upper_bound(5, 1.0),
    ],
)
def test_bad_arguments_are_one_clear_line(call: object) -> None:
    with pytest.raises(InvalidStatisticArgument) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


# --- Comparison ---


def test_pairing_shrinks_the_error_by_the_correlation() -> None:
    random = np.random.default_rng(1)
    a = random.random(50)
    b = np.clip(a - 0.05 + 0.05 * random.normal(size=50), 0, 1)
    found = st.paired_difference(a, b)
    assert found.mean == pytest.approx((a - b).mean())
    assert found.se is not None
    assert found.unpaired_se is not None
    assert found.corr is not None
    assert found.se < 0.4 * found.unpaired_se
    assert found.corr > 0.9
    flat = st.paired_difference([0.5, 0.5], [0.1, 0.2])
    assert flat.corr is None
    # Their mean is not exactly 0.1, so their standard deviation is not exactly 0.
    assert st.paired_difference([0.1, 0.1, 0.1], [0.1, 0.2, 0.3]).corr is None
    assert st.paired_difference([0.5], [0.1]).se is None


def test_shared_problems_show_the_drop() -> None:
    shared = st.shared_problems({"x": 0.1, "y": 0.2, "z": 0.3}, {"z": 1.0, "x": 0.5, "w": 0.0})
    assert (shared.names, shared.only_a, shared.only_b) == (("x", "z"), 1, 1)
    assert shared.b.tolist() == [0.5, 1.0]


@settings(max_examples=25)
@given(some.lists(some.integers(-3, 3), min_size=1, max_size=9))
def test_sign_flips_enumerated(diffs: list[int]) -> None:
    flips = [sum(s * d for s, d in zip(signs, diffs, strict=True)) for signs in product((1, -1), repeat=len(diffs))]
    expected = np.mean([abs(total) >= abs(sum(diffs)) for total in flips])
    assert st.sign_flip_permutation_p(diffs) == pytest.approx(expected)


def test_many_sign_flips_are_simulated() -> None:
    random = np.random.default_rng(4)
    diffs = random.normal(0.3, 1, 40)
    p = st.sign_flip_permutation_p(diffs, permutations=20_000, seed=1)
    assert p == pytest.approx(stats.ttest_1samp(diffs, 0).pvalue, abs=0.02)
    assert p == st.sign_flip_permutation_p(diffs, permutations=20_000, seed=1)
    assert st.sign_flip_permutation_p([0.0, 0.0]) == 1.0


@given(some.integers(0, 12), some.integers(0, 12))
def test_mcnemar_is_the_binomial_test(only_a: int, only_b: int) -> None:
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert st.mcnemar_exact(only_a, only_b) == pytest.approx(expected)


def test_holm_adjusts_in_steps() -> None:
    np.testing.assert_allclose(st.holm([0.04, 0.01, 0.03]), [0.06, 0.03, 0.06])
    assert st.holm([0.9, 0.8]).max() == 1.0


def test_a_difference_lies_between_minus_one_and_one() -> None:
    curve = st.difference_curve([4, 4], [4, 3], [4, 4], [0, 1], [1, 2])
    assert curve.high.tolist() == curve.band_high.tolist() == [1.0, 1.0]
    assert (curve.low >= -1).all()
    assert (curve.band_low >= -1).all()


def test_many_differences_together_are_each_by_itself() -> None:
    random = np.random.default_rng(2)
    sizes = [30, 1, 12, 30, 2, 30]
    pairs = [(random.random((size, 200)), random.random((size, 200))) for size in sizes]
    pairs[3][0][4, 100:] = np.nan  # one problem has fewer samples
    pairs[5] = (pairs[5][1], pairs[5][1])  # nothing varies
    ks = np.arange(1, 201)
    for (a, b), found in zip(pairs, st.differences_of_grids(pairs, ks), strict=True):
        alone = st.difference_of_grids(a, b, ks)
        for name in ("mean", "se", "low", "high", "band_low", "band_high", "p", "holm_p"):
            np.testing.assert_allclose(getattr(found, name), getattr(alone, name), atol=1e-13)
        known = ~np.isnan(found.se)
        assert (found.band_low[known] <= found.low[known]).all()
    assert st.differences_of_grids([], ks) == []


def test_difference_curve() -> None:
    n, a, b = [20] * 6, [0, 2, 5, 9, 14, 20], [0, 1, 3, 9, 10, 18]
    curve = st.difference_curve(n, a, n, b, [1, 5, 20, 21])
    single = st.paired_difference([x / 20 for x in a], [x / 20 for x in b])
    assert (curve.mean[0], curve.se[0]) == pytest.approx((single.mean, single.se))
    assert curve.p[0] == pytest.approx(stats.ttest_rel([x / 20 for x in a], [x / 20 for x in b]).pvalue)
    assert np.isnan([curve.mean[3], curve.p[3], curve.holm_p[3]]).all()
    assert np.all(curve.band_low[:3] <= curve.low[:3] + 1e-12)
    assert np.all(curve.holm_p[:3] >= curve.p[:3])


def test_sample_size_and_detectable_difference_are_inverse() -> None:
    needed = st.sample_size_paired(0.11, 0.16, 0.16, 4, 4, 0.05)
    assert needed is not None
    assert st.mde_paired(0.11, 0.16, 0.16, 4, 4, round(needed)) == pytest.approx(0.05, rel=1e-3)
    assert st.sample_size_paired(0.1, 0.1, 0.1, 1, 1, 0.0) is None
    assert st.mde_paired(0.1, 0.1, 0.1, 1, 1, 0) is None


# --- Bayes and allocation ---


def test_flat_prior_flatters_a_never_solved_problem() -> None:
    assert st.beta_posterior_pass_at_k(100, 0, 100, 1, 1).mean == pytest.approx(0.4975, abs=1e-4)
    moments = stats.beta(4, 8)
    single = st.beta_posterior_pass_at_k(10, 3, 1, 1, 1)
    assert (single.mean, single.var) == pytest.approx((moments.mean(), moments.var()))


def test_dirichlet_of_two_outcomes_is_a_beta() -> None:
    found = st.dirichlet_bayes([[1, 0, 1, 1]], [0, 1])
    assert found is not None
    assert (found.mu, found.sigma) == pytest.approx((stats.beta(4, 2).mean(), stats.beta(4, 2).std()))
    assert st.dirichlet_bayes([], [0, 1]) is None


def test_greedy_allocation_is_round_robin_under_one_prior() -> None:
    attempts = [0, 0, 0]
    for _ in range(9):
        index = st.solve_index(0.3, 5.0, attempts)
        attempts[int(np.argmax(index))] += 1
    assert attempts == [3, 3, 3]
    dear = st.solve_index(0.3, 5.0, [0, 0], [1.0, 2.0])
    assert dear[0] == pytest.approx(2 * dear[1])
    assert st.hazard_next_attempt(0.3, 5, 4) == pytest.approx(st.prob_solved_in_next(0.3, 5, 4, 1))


def test_stopping_rules() -> None:
    assert st.zero_success_upper_bound(0) == 1.0
    assert st.zero_success_upper_bound(300) == pytest.approx(0.00994, abs=1e-5)
    assert st.leader_confidence(5, 0) == pytest.approx(1 - 0.5**6)
    assert st.window_agrees(["a", "a"])
    assert not st.window_agrees(["a", "b"])
    assert not st.window_agrees([None, None])
    assert st.dynamic_next_problem([]) is None
    assert st.stops(0.001, 0.0, 100.0) is not None
    assert st.stops(0.1, 5.0, 100.0, budget=5.0) == "the budget is spent"
    assert st.stops(0.1, 4.0, 100.0, budget=5.0) is None


def test_neyman_shares_survive_huge_k_and_certainty() -> None:
    shares = st.neyman_allocation([1e-4, 0.01, 0.5], 100_000)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[0] == pytest.approx(1.0)
    assert np.isnan(st.neyman_allocation([0.0, 1.0], 10)).all()
    halved = st.neyman_allocation([0.1, 0.1], 5, [1.0, 4.0])
    assert halved[0] == pytest.approx(2 * halved[1])
