"""Sampling designs: how many samples a problem got and why, and the unbiased estimator that follows.

Chen's formula holds only where n was fixed without looking at outcomes; on runs stopped at the first success it is far
too high (p = 0.1: E[c/n] = 0.256). For a stopping plan the unbiased estimator of (1-p)^k is the share of the paths to
the stopping point that begin with k failures (Girshick, Mosteller and Savage 1946). A solved problem that stopped
before k is then not missing; a problem unsolved at its cap N is, for k > N.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from store.analytics.statistics.arguments import (
    FloatArray,
    IntArray,
    InvalidStatisticArgument,
    NoUnbiasedEstimator,
    require,
    require_budget,
    require_budgets,
    require_counts,
)
from store.analytics.statistics.coverage import pass_at_k, pass_at_k_grid
from store.analytics.statistics.curves import CoverageCurve, Policy, curve_of_grid


@dataclass(frozen=True)
class FixedDesign:
    """n was fixed in advance, or chosen without looking at outcomes."""


@dataclass(frozen=True)
class UntilSuccess:
    """Stop at the end of the batch (of `batch` samples) that holds the `successes`-th success, or at `cap`."""

    successes: int = 1
    cap: int | None = None
    batch: int = 1

    def __post_init__(self) -> None:
        require(self.successes >= 1, f"successes must be at least 1, got {self.successes}")
        require(self.batch >= 1, f"batch must be at least 1, got {self.batch}")
        require(self.cap is None or self.cap >= 1, f"cap must be at least 1, got {self.cap}")


@dataclass(frozen=True)
class AdaptiveDesign:
    """Samples were allotted by a rule that looked at outcomes across problems; only its name is kept."""

    rule: str


SamplingDesign = FixedDesign | UntilSuccess | AdaptiveDesign


def design_from_record(record: Mapping[str, object]) -> SamplingDesign:
    """The design from its stored form: {"kind": "fixed_n"}, {"kind": "until_success", "successes", "cap", "batch"},
    or {"kind": "adaptive", "rule"}."""
    kind = record.get("kind")
    if kind == "fixed_n":
        return FixedDesign()
    if kind == "adaptive":
        return AdaptiveDesign(str(record.get("rule", "unnamed")))
    if kind != "until_success":
        raise InvalidStatisticArgument(f"unknown sampling design {kind!r}: use fixed_n, until_success or adaptive")
    numbers = {name: record[name] for name in ("successes", "cap", "batch") if record.get(name) is not None}
    for name, number in numbers.items():
        require(isinstance(number, int), f"design field {name} must be a whole number, got {number!r}")
    return UntilSuccess(**numbers)  # type: ignore[arg-type]


def require_fixed_design(design: SamplingDesign) -> None:
    """Refuse an estimator for fixed n on a run of another design. Raises NoUnbiasedEstimator."""
    if not isinstance(design, FixedDesign):
        raise NoUnbiasedEstimator(
            f"samples were drawn under {design}, not with a fixed n: 1 - C(n-c,k)/C(n,k) would be biased; "
            "use the estimator for the design"
        )


def inverse_sampling_fail_at_k(draws: int, stop_at_success: int, k: int) -> float:
    """Unbiased (1-p)^k when sampling stopped at the r-th success, on draw n: C(n-1-k, r-1)/C(n-1, r-1).

    0 if n-1-k < r-1. Defined for every k. Raises InvalidStatisticArgument for r < 1 or draws < r.
    """
    budget = require_budget(k)
    require(stop_at_success >= 1, f"stop_at_success must be at least 1, got {stop_at_success}")
    require(draws >= stop_at_success, f"{stop_at_success} successes cannot have come in {draws} draws")
    left, r = draws - 1 - budget, stop_at_success
    if left < r - 1:
        return 0.0
    return float(Fraction(math.comb(left, r - 1), math.comb(draws - 1, r - 1)))


def batch_stopped_fail_at_k(batch: int, batches: int, successes_in_last: int, k: int) -> float | None:
    """Unbiased (1-p)^k when sampling stopped after the first batch of b with a success, the B-th, c of it correct.

    1 for k <= (B-1)b, C(b-c, j)/C(b, j) with j = k-(B-1)b up to Bb, 0 beyond; without any success (stopped at the cap
    Bb) 1 up to the cap and None beyond.
    """
    budget = require_budget(k)
    require(batch >= 1 and batches >= 1, "batch and batches must be at least 1")
    require_counts(batch, successes_in_last)
    before = (batches - 1) * batch
    if budget <= before:
        return 1.0
    if budget > batches * batch:
        return None if successes_in_last == 0 else 0.0
    j = budget - before
    return float(Fraction(math.comb(batch - successes_in_last, j), math.comb(batch, j)))


def closed_plan_fail_at_k(goes_on: Callable[[int, int], bool], draws: int, successes: int, k: int) -> float | None:
    """Unbiased (1-p)^k for any closed plan: paths to (draws, successes) that begin with k failures, over all paths.

    `goes_on(draws, successes)` says whether the plan samples again there. None for k > draws, where this ratio says
    nothing unless the plan had ended anyway (the special cases above know when). Exact, O(draws x successes).
    """
    require_counts(draws, successes)
    budget = require_budget(k)
    if budget > draws:
        return None
    every = _paths(goes_on, 0, draws, successes)
    require(every > 0, f"the plan cannot stop at {successes} successes in {draws} draws")
    if not all(goes_on(i, 0) for i in range(budget)):
        return 0.0
    return float(Fraction(_paths(goes_on, budget, draws, successes), every))


def _paths(goes_on: Callable[[int, int], bool], start: int, draws: int, successes: int) -> int:
    """Number of outcome sequences from (start, 0) to (draws, successes) that only pass where the plan goes on."""
    ways = [1] + [0] * successes
    for i in range(start, draws):
        reach = [number if goes_on(i, s) else 0 for s, number in enumerate(ways)]
        ways = [number + (reach[s - 1] if s else 0) for s, number in enumerate(reach)]
    return ways[successes]


def pass_at_k_under(design: SamplingDesign, n: int, c: int, k: int) -> float | None:
    """Unbiased pass@k of one problem with n samples, c correct, drawn under `design`; None where undefined.

    A problem that has not reached its stopping point yet is missing (None), as is k beyond the cap. Raises
    NoUnbiasedEstimator for adaptive designs.
    """
    if isinstance(design, AdaptiveDesign):
        raise NoUnbiasedEstimator(
            f"samples were allotted adaptively ({design.rule}): pass@k has no unbiased estimator; use the samples of a "
            "pilot of fixed size, or a fitted beta-binomial"
        )
    if isinstance(design, FixedDesign):
        return pass_at_k(n, c, k)
    require_counts(n, c)
    if design.cap is not None:
        require(n <= design.cap, f"{n} samples exceed the design's cap of {design.cap}")
    if not _has_stopped(design, n, c) or (design.cap is not None and k > design.cap):
        return None
    fail = _stopped_fail_at_k(design, n, c, k)
    return None if fail is None else 1.0 - fail


def _has_stopped(design: UntilSuccess, n: int, c: int) -> bool:
    ended = n == design.cap or n % design.batch == 0
    return n > 0 and ((c >= design.successes and ended) or n == design.cap)


def _stopped_fail_at_k(design: UntilSuccess, n: int, c: int, k: int) -> float | None:
    """(1-p)^k for a problem that stopped; None for k > n where it stopped unsolved."""
    solved = c >= design.successes
    if k > n:
        return 0.0 if solved else None
    if solved and design.batch == 1:
        require(c == design.successes, f"a run that stops at success {design.successes} cannot hold {c}")
        return inverse_sampling_fail_at_k(n, c, k)

    def goes_on(draws: int, successes: int) -> bool:
        return draws < n and not (successes >= design.successes and draws % design.batch == 0)

    return closed_plan_fail_at_k(goes_on, n, c, k)


def coverage_curve_under(
    design: SamplingDesign,
    n: ArrayLike,
    c: ArrayLike,
    ks: ArrayLike,
    policy: Policy = "strict",
    level: float = 0.95,
    band: bool = False,
    seed: int = 0,
) -> CoverageCurve:
    """coverage_curve with the estimator that the design calls for; problems [P], budgets [K].

    problems_used counts problems with an estimate; largest_k is the least n, which under a stopping design need not
    limit k. `bounds` is refused there, as pass@min(n, k) of a stopped problem has no meaning.
    """
    samples, correct = require_counts(np.atleast_1d(n), np.atleast_1d(c))
    budgets = require_budgets(np.atleast_1d(np.asarray(ks)))
    require(
        isinstance(design, FixedDesign) or policy != "bounds",
        "policy bounds needs a fixed n; use strict or complete_case",
    )
    grid = design_grid(design, samples, correct, budgets)
    return curve_of_grid(grid, samples, correct, budgets, policy, level, band, seed)


def design_grid(design: SamplingDesign, n: IntArray, c: IntArray, ks: IntArray) -> FloatArray:
    """Unbiased pass@k under a design [P, K]; NaN where a problem has no estimate. Raises for adaptive designs."""
    if isinstance(design, FixedDesign):
        return pass_at_k_grid(n, c, ks)
    pairs = list(zip(n.tolist(), c.tolist(), strict=True))
    rows = {pair: [pass_at_k_under(design, *pair, k) for k in ks.tolist()] for pair in set(pairs)}
    return np.array([rows[pair] for pair in pairs], dtype=np.float64).reshape(n.size, ks.size)
