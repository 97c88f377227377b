"""What money buys: the frontier of cost and quality, the cheapest way to a target, runs at equal cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from store.analytics.statistics.arguments import require


@dataclass(frozen=True)
class Offer:
    """A way to spend: a name (run, k, ...), what it costs and the quality it buys."""

    name: str
    cost: float
    quality: float


def pareto_frontier(offers: Sequence[Offer]) -> list[Offer]:
    """Offers that no other beats strictly (as cheap and as good, and better in one), by cost."""
    return sorted(
        (
            offer
            for offer in offers
            if not any(
                other.cost <= offer.cost
                and other.quality >= offer.quality
                and (other.cost < offer.cost or other.quality > offer.quality)
                for other in offers
            )
        ),
        key=lambda offer: offer.cost,
    )


def cheapest_for_target(offers: Sequence[Offer], target: float) -> Offer | None:
    """The cheapest offer whose quality reaches the target (the better one on equal cost); None if none does."""
    enough = [offer for offer in offers if offer.quality >= target]
    return min(enough, key=lambda offer: (offer.cost, -offer.quality)) if enough else None


def quality_at_cost(cost: ArrayLike, quality: ArrayLike, budget: float) -> float | None:
    """Quality bought by exactly `budget` on a curve of (cost, quality) points with rising cost.

    Between two points by the policy that takes either at random, hence linear; None outside the curve, never clamped.
    Compare runs at equal money with this, problem by problem for paired differences.
    """
    x, y = np.asarray(cost, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    require(bool(np.all(np.diff(x) >= 0)), "cost must rise along the curve")
    if x.size == 0 or not x[0] <= budget <= x[-1]:
        return None
    return float(np.interp(budget, x, y))


def affordable_k(budget: float, cost_per_sample_round: float) -> float:
    """Samples a problem, fractional, that a budget buys when one more for every problem costs the given dollars."""
    require(cost_per_sample_round > 0, "the cost of a sample for every problem must be positive")
    require(budget >= 0, f"budget must not be negative, got {budget}")
    return budget / cost_per_sample_round
