"""Estimators for stopping designs are unbiased for (1-p)^k, and the one for fixed n is refused there."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from store.analytics import statistics as st
from store.analytics.statistics import InvalidStatisticArgument, NoUnbiasedEstimator


def stopped_counts(design: st.UntilSuccess, p: float) -> dict[tuple[int, int], float]:
    """Probability of every (n, c) at which a capped design stops, by walking all outcomes."""
    assert design.cap is not None
    ends: dict[tuple[int, int], float] = {}
    walking = {(0, 0): 1.0}
    while walking:
        following: dict[tuple[int, int], float] = {}
        for (n, c), chance in walking.items():
            for hit, part in ((1, p), (0, 1 - p)):
                m, s = n + 1, c + hit
                stops = m == design.cap or (s >= design.successes and m % design.batch == 0)
                target = ends if stops else following
                target[m, s] = target.get((m, s), 0.0) + chance * part
        walking = following
    return ends


@pytest.mark.parametrize(
    "design",
    [
        st.UntilSuccess(1, 9, 1),
        st.UntilSuccess(3, 9, 1),
        st.UntilSuccess(1, 12, 4),
        st.UntilSuccess(1, 10, 4),
        st.UntilSuccess(2, 12, 3),
    ],
)
@pytest.mark.parametrize("p", [0.05, 0.4, 0.9])
def test_estimators_are_unbiased_for_every_k_up_to_the_cap(design: st.UntilSuccess, p: float) -> None:
    ends = stopped_counts(design, p)
    assert sum(ends.values()) == pytest.approx(1.0)
    for k in range(design.cap or 0):
        values = {end: st.pass_at_k_under(design, *end, k) for end in ends}
        assert None not in values.values()
        mean = sum(chance * (values[end] or 0.0) for end, chance in ends.items())
        assert mean == pytest.approx(1 - (1 - p) ** k, abs=1e-10)
    beyond = {st.pass_at_k_under(design, *end, (design.cap or 0) + 1) for end in ends}
    assert beyond == {None}


def test_chen_on_stopped_samples_is_far_too_high() -> None:
    design, p = st.UntilSuccess(1, 400, 1), 0.1
    ends = stopped_counts(design, p)
    naive = sum(chance * c / n for (n, c), chance in ends.items())
    assert naive == pytest.approx(-p * math.log(p) / (1 - p), abs=1e-6)
    with pytest.raises(NoUnbiasedEstimator, match="biased"):
        st.require_fixed_design(design)
    st.require_fixed_design(st.FixedDesign())


@given(some.integers(1, 4), some.integers(1, 9), some.integers(0, 14))
def test_special_cases_are_path_counts(r: int, extra: int, k: int) -> None:
    n = r + extra - 1
    value = st.inverse_sampling_fail_at_k(n, r, k)
    assert 0 <= value <= 1
    if k <= n:
        assert st.closed_plan_fail_at_k(lambda draws, hits: hits < r, n, r, k) == pytest.approx(value)


@given(some.integers(1, 4), some.integers(1, 3), some.data())
def test_batch_stop_is_a_path_count(batch: int, batches: int, data: some.DataObject) -> None:
    c = data.draw(some.integers(1, batch))
    n = batch * batches
    for k in range(n + 1):
        closed = st.closed_plan_fail_at_k(lambda draws, hits: not (hits and draws % batch == 0), n, c, k)
        assert closed == pytest.approx(st.batch_stopped_fail_at_k(batch, batches, c, k))
    assert st.batch_stopped_fail_at_k(batch, batches, c, n + 5) == 0.0
    assert st.batch_stopped_fail_at_k(batch, batches, 0, n) == 1.0
    assert st.batch_stopped_fail_at_k(batch, batches, 0, n + 1) is None


def test_closed_plan_counts_paths_by_hand() -> None:
    def goes_on(draws: int, hits: int) -> bool:
        return draws < 4 and hits < 2

    paths = [
        way for way in product((0, 1), repeat=4) if sum(way) == 2 and way[3] == 1
    ]  # two hits in exactly four draws end on a hit
    share = sum(way[0] == 0 for way in paths) / len(paths)
    assert st.closed_plan_fail_at_k(goes_on, 4, 2, 1) == pytest.approx(share)
    with pytest.raises(InvalidStatisticArgument, match="cannot stop"):
        st.closed_plan_fail_at_k(lambda draws, hits: hits < 1, 4, 2, 1)


def test_unfinished_and_adaptive_problems() -> None:
    design = st.UntilSuccess(1, 10, 1)
    assert st.pass_at_k_under(design, 4, 0, 2) is None
    assert st.pass_at_k_under(design, 10, 0, 10) == 0.0
    assert st.pass_at_k_under(design, 3, 1, 10) == 1.0
    assert st.pass_at_k_under(st.UntilSuccess(), 3, 1, 1_000) == 1.0
    assert st.pass_at_k_under(st.UntilSuccess(1, 10, 5), 4, 1, 2) is None
    with pytest.raises(NoUnbiasedEstimator, match="thompson"):
        st.pass_at_k_under(st.AdaptiveDesign("thompson"), 5, 2, 1)
    with pytest.raises(InvalidStatisticArgument, match="cap"):
        st.pass_at_k_under(design, 11, 0, 1)
    with pytest.raises(InvalidStatisticArgument, match="cannot hold"):
        st.pass_at_k_under(design, 5, 2, 1)


def test_curve_under_a_design() -> None:
    fixed = st.coverage_curve_under(st.FixedDesign(), [9, 9], [2, 5], [1, 9])
    np.testing.assert_array_equal(fixed.value, st.coverage_curve([9, 9], [2, 5], [1, 9]).value)
    design = st.UntilSuccess(1, 8, 1)
    curve = st.coverage_curve_under(design, [1, 3, 8], [1, 1, 0], [1, 2, 8, 9])
    np.testing.assert_allclose(curve.value[:3], [1 / 3, 1 / 3, 2 / 3])
    assert math.isnan(curve.value[3])
    with pytest.raises(InvalidStatisticArgument, match="bounds"):
        st.coverage_curve_under(design, [1], [1], [1], "bounds")
    with pytest.raises(NoUnbiasedEstimator):
        st.coverage_curve_under(st.AdaptiveDesign("ucb"), [1], [1], [1])


def test_designs_from_their_stored_form() -> None:
    assert st.design_from_record({"kind": "fixed_n"}) == st.FixedDesign()
    stored = {"kind": "until_success", "successes": 2, "cap": 40, "batch": None}
    assert st.design_from_record(stored) == st.UntilSuccess(2, 40, 1)
    assert st.design_from_record({"kind": "adaptive", "rule": "greedy"}) == st.AdaptiveDesign("greedy")
    with pytest.raises(InvalidStatisticArgument, match="sequential"):
        st.design_from_record({"kind": "sequential"})
    with pytest.raises(InvalidStatisticArgument, match="whole number"):
        st.design_from_record({"kind": "until_success", "cap": "many"})
    with pytest.raises(InvalidStatisticArgument, match="batch"):
        st.UntilSuccess(1, 10, 0)
