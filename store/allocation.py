"""Where the next sample should go: towards most solved per dollar, or towards a known tail.

Pure functions of plain numbers, so that planning can call them without anything of the analytics. A problem unsolved
after n attempts whose chance has the prior Beta(a, b) is solved by the next attempt with chance a/(a+b+n).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from store.errors import InvalidStatisticArgument

#: Jeffreys' prior: what is assumed of a problem's chance where nothing has been seen.
JEFFREYS = (0.5, 0.5)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidStatisticArgument(message)


def _require_prior(alpha: float, beta: float, fails: int) -> None:
    _require(alpha > 0 and beta > 0, "alpha and beta must be positive")
    _require(fails >= 0, f"fails must not be negative, got {fails}")


def prob_solved_in_next(alpha: float, beta: float, fails: int, attempts: int) -> float:
    """Chance that one of the next `attempts` solves a problem unsolved after `fails`: 1 - B(a, b+n+m)/B(a, b+n)."""
    _require_prior(alpha, beta, fails)
    _require(attempts >= 0, f"attempts must not be negative, got {attempts}")
    # A product of chances to fail: exact where a difference of log-gammas would cancel.
    return -math.expm1(math.fsum(math.log1p(-alpha / (alpha + beta + fails + i)) for i in range(attempts)))


def hazard_next_attempt(alpha: float, beta: float, fails: int) -> float:
    """Chance a/(a+b+n) that the next attempt solves a problem unsolved after n fails; it falls with n.

    Hence, with one prior and one price, solving most per dollar is round-robin over unsolved problems.
    """
    _require_prior(alpha, beta, fails)
    return alpha / (alpha + beta + fails)


def solve_index(alpha: float, beta: float, fails: int, cost: float = 1.0) -> float:
    """Expected solves per dollar of the next attempt at an unsolved problem: sample the largest first.

    Stop where it falls under the inverse of what a solve is worth in dollars.
    """
    _require(cost > 0, "cost must be positive")
    return hazard_next_attempt(alpha, beta, fails) / cost


def prior_of(counts: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """A prior (a, b) for one problem from counts (n, c) of others, by moments of their rates; JEFFREYS for too few.

    What is left of the variance of the rates c/n after their sampling noise is the spread of the problems' chances.
    """
    rates = [c / n for n, c in counts if n > 0]
    if len(rates) < 2:
        return JEFFREYS
    mean = math.fsum(rates) / len(rates)
    spread = math.fsum((rate - mean) ** 2 for rate in rates) / (len(rates) - 1)
    inverse = math.fsum(1 / n for n, _ in counts if n > 0) / len(rates)
    most = mean * (1 - mean)
    between = (spread - most * inverse) / (1 - inverse) if inverse < 1 else 0.0
    if not 0 < mean < 1 or between <= 0:
        return JEFFREYS
    weight = max(most / between - 1, 1e-3)
    return mean * weight, (1 - mean) * weight


def zero_success_upper_bound(n: int, level: float = 0.95) -> float:
    """Exact one-sided upper bound on p after n failures: 1 - (1-level)^(1/n), about 3/n; 1 for n = 0."""
    _require(0 < level < 1, f"level must lie between 0 and 1, got {level}")
    _require(n >= 0, f"n must not be negative, got {n}")
    return -math.expm1(math.log1p(-level) / n) if n else 1.0


@dataclass(frozen=True)
class Progress:
    """What a problem has had so far."""

    name: Hashable
    attempts: int
    successes: int


def dynamic_next_problem(problems: Sequence[Progress]) -> Hashable | None:
    """Next problem to sample to learn the tail: fewest successes, then fewest attempts, then first; None if empty.

    Kazdan et al. (arXiv 2510.05197), Algorithm 1.
    """
    return min(problems, key=lambda one: (one.successes, one.attempts)).name if problems else None


def neyman_shares(p: Sequence[float], k: int, cost: Sequence[float] | None = None) -> list[float] | None:
    """Shares of a budget that best estimate coverage@k: proportional to sqrt(p (1-p)^(2k-1) / cost).

    Kazdan et al. (arXiv 2510.05197), theorem 1; p from a posterior. None where no problem varies.
    """
    prices = [1.0] * len(p) if cost is None else list(cost)
    _require(len(prices) == len(p), "p and cost must be of one length")
    _require(all(0 <= rate <= 1 for rate in p), "p must lie between 0 and 1")
    _require(k >= 1, f"k must be at least 1, got {k}")
    _require(all(price > 0 for price in prices), "cost must be positive")
    # In logarithms: (1-p)^(2k-1) underflows where k is large, for every problem at once perhaps.
    logs = [
        0.5 * (math.log(rate) + (2 * k - 1) * math.log1p(-rate) - math.log(price)) if 0 < rate < 1 else -math.inf
        for rate, price in zip(p, prices, strict=True)
    ]
    largest = max(logs, default=-math.inf)
    if largest == -math.inf:
        return None
    parts = [math.exp(log - largest) for log in logs]
    return [part / math.fsum(parts) for part in parts]


def leader_confidence(votes_first: int, votes_second: int) -> float:
    """Chance that the leading answer beats the runner-up: P(Beta(v1+1, v2+1) > 1/2) (Adaptive-Consistency)."""
    _require(votes_first >= 0 and votes_second >= 0, "votes must not be negative")
    # For whole numbers the beta's tail is a binomial's: P(Bin(v1+v2+1, 1/2) <= v1).
    tosses = votes_first + votes_second + 1
    return sum(math.comb(tosses, i) for i in range(votes_first + 1)) / (1 << tosses)


def window_agrees(answers: Sequence[Hashable | None]) -> bool:
    """Early stop of a vote: every answer of the latest window is valid and the same (Early-Stopping Consistency)."""
    return bool(answers) and answers[0] is not None and all(answer == answers[0] for answer in answers)


def stops(index: float, spent: float, value_per_solve: float, budget: float | None = None) -> str | None:
    """Why sampling a problem should stop: its index per dollar is under 1/value, or the budget is spent; else None."""
    _require(index >= 0, f"index must not be negative, got {index}")
    _require(value_per_solve > 0, "value_per_solve must be positive")
    if budget is not None and spent >= budget:
        return "the budget is spent"
    return "a solve is worth less than it costs" if index * value_per_solve < 1 else None
