"""Resampling until a proxy verifier accepts: what comes of it, how false positives inflate it, when to stop."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from store.analytics.statistics.arguments import FloatArray, require, require_budget, require_counts, require_share
from store.analytics.statistics.coverage import pass_at_k


@dataclass(frozen=True)
class ResampleOutcome:
    """What comes of resampling until a proxy accepts: accepted and correct, accepted but wrong, nothing accepted."""

    correct: float
    false_accept: float
    none: float


def resample_until_accept(n: int, accepted: int, accepted_and_correct: int, k: int) -> ResampleOutcome | None:
    """Draw until the proxy accepts, at most k of n samples; None for k > n.

    Exact over all orders: P(correct) = (a_c/a)(1 - f_k(n, a)). Replaces the simulation of Stroebl et al. (2411.17501).
    """
    require_counts(n, accepted)
    require_counts(accepted, accepted_and_correct)
    some = pass_at_k(n, accepted, k)
    if some is None:
        return None
    share = accepted_and_correct / accepted if accepted else 0.0
    return ResampleOutcome(share * some, (1 - share) * some if accepted else 0.0, 1 - some)


@dataclass(frozen=True)
class ImperfectVerifier:
    """Resampling under an imperfect verifier: acceptance, outcomes by k, and coverage as it is and as it appears.

    precision_limit: accuracy given acceptance, the same for every k; None where nothing is ever accepted.
    """

    accept_rate: float
    correct: float
    false_accept: float
    none: float
    precision_limit: float | None
    true_pass_at_k: float
    apparent_pass_at_k: float


def imperfect_verifier(p: float, tpr: float, fpr: float, k: int) -> ImperfectVerifier:
    """Success rate p judged with true and false positive rates, up to k samples (Stroebl et al. 2411.17501).

    The what-if behind any coverage on proxy verdicts: an impossible problem with fpr 0.1 % shows 63 % at k = 1,000.
    """
    for name, value in (("p", p), ("tpr", tpr), ("fpr", fpr)):
        require_share(name, value)
    budget = require_budget(k)
    accept = p * tpr + (1 - p) * fpr
    some = _within(accept, budget)
    limit = p * tpr / accept if accept > 0 else None
    correct = some * limit if limit is not None else 0.0
    return ImperfectVerifier(accept, correct, some - correct, 1 - some, limit, _within(p, budget), some)


def _within(p: float, k: int) -> float:
    """1 - (1-p)^k without cancellation."""
    if p >= 1:
        return 1.0 if k else 0.0
    return -math.expm1(k * math.log1p(-p)) if p > 0 else 0.0


@dataclass(frozen=True)
class OptimalResamples:
    """The budget with the largest expected utility (0: better not to try; the smallest on ties) and that utility."""

    k_star: int
    utility: float


def resample_utility(
    type_success: ArrayLike,
    type_prior: ArrayLike,
    tpr: float,
    fpr: float,
    reward_correct: float,
    reward_false_accept: float,
    cost_per_attempt: float,
    k_max: int,
) -> FloatArray:
    """Expected utility U(k), k = 0..k_max, of resampling until accepted, over problem types with success p_i.

    U(k) = sum_i prior_i sum_{j<=k} (1-a_i)^(j-1) (B p_i tpr + R (1-p_i) fpr - cost), a_i the acceptance rate and R the
    (usually negative) reward of a false accept (Stroebl et al. 2411.17501).
    """
    p, prior = np.asarray(type_success, dtype=np.float64), np.asarray(type_prior, dtype=np.float64)
    require(p.ndim == 1 and p.shape == prior.shape, "type_success and type_prior must have one entry a type each")
    require(bool(np.all((p >= 0) & (p <= 1))), "type_success must lie between 0 and 1")
    require(bool(np.all(prior >= 0)), "type_prior must not be negative")
    require_share("tpr", tpr)
    require_share("fpr", fpr)
    accept = p * tpr + (1 - p) * fpr
    gain = prior * (reward_correct * p * tpr + reward_false_accept * (1 - p) * fpr - cost_per_attempt)
    reached = (1 - accept)[:, None] ** np.arange(require_budget(k_max))
    return np.concatenate([[0.0], np.cumsum(gain @ reached)])


def optimal_resamples(
    type_success: ArrayLike,
    type_prior: ArrayLike,
    tpr: float,
    fpr: float,
    reward_correct: float,
    reward_false_accept: float,
    cost_per_attempt: float,
    k_max: int,
) -> OptimalResamples:
    """Best number of resamples by a scan of all k <= k_max: a sum of exponentials may have several peaks."""
    utility = resample_utility(
        type_success, type_prior, tpr, fpr, reward_correct, reward_false_accept, cost_per_attempt, k_max
    )
    best = int(np.argmax(utility))
    return OptimalResamples(best, float(utility[best]))
