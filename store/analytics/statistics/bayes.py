"""Bayesian posteriors: pass@k under a beta prior, and graded outcomes under a Dirichlet prior. Never the headline."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from store.analytics.statistics.arguments import require, require_budget, require_counts, whole_numbers


@dataclass(frozen=True)
class BetaPosterior:
    """Posterior mean and variance of pass@k."""

    mean: float
    var: float


def log_beta_ratio(a: float, b: float, steps: float) -> float:
    """ln B(a, b+steps) - ln B(a, b): the log chance of `steps` failures under Beta(a, b)."""
    return float(special.betaln(a, b + steps) - special.betaln(a, b))


def beta_posterior_pass_at_k(n: int, c: int, k: int, alpha: float, beta: float) -> BetaPosterior:
    """Posterior of 1-(1-p)^k after c of n under Beta(alpha, beta); any k, as the prior carries what n cannot.

    Only with a fitted prior and never as coverage: Beta(1, 1) gives a never-solved problem 0.4975 at n = k = 100.
    """
    require_counts(n, c)
    require(alpha > 0 and beta > 0, "alpha and beta must be positive")
    budget = require_budget(k)
    first = log_beta_ratio(alpha + c, beta + n - c, budget)
    second = log_beta_ratio(alpha + c, beta + n - c, 2 * budget)
    return BetaPosterior(-math.expm1(first), max(math.exp(second) - math.exp(2 * first), 0.0))


@dataclass(frozen=True)
class DirichletEstimate:
    """Posterior mean and standard deviation of the mean graded outcome."""

    mu: float
    sigma: float


def dirichlet_bayes(
    outcomes: ArrayLike, weights: ArrayLike, prior_outcomes: ArrayLike | None = None
) -> DirichletEstimate | None:
    """Bayes@N: mean and sd of the weighted outcome over problems under a uniform Dirichlet prior.

    outcomes [P, N]: category 0..C of each sample; weights [C+1]: worth of each category; prior_outcomes [P, D]: earlier
    outcomes that count as pseudo-samples. None without a problem. Formula of the scorio package (Bayes@N).
    """
    seen, worth = whole_numbers("outcomes", outcomes), np.asarray(weights, dtype=np.float64)
    if seen.shape == (0,):
        return None
    seen = np.atleast_2d(seen)
    earlier = np.zeros((seen.shape[0], 0), dtype=np.int64) if prior_outcomes is None else prior_outcomes
    prior = np.atleast_2d(whole_numbers("prior_outcomes", earlier)).reshape(seen.shape[0], -1)
    both = np.concatenate([seen, prior], axis=1)
    require(seen.ndim == 2 and worth.ndim == 1, "outcomes must be a matrix and weights a list")
    require(bool(np.all((both >= 0) & (both < worth.size))), f"outcomes must be categories 0 to {worth.size - 1}")
    counts = np.stack([(both == category).sum(axis=1) for category in range(worth.size)], axis=1) + 1.0
    total = counts.sum(axis=1, keepdims=True)
    share, gain = counts / total, worth - worth[0]
    mean = share @ gain
    spread = (share @ gain**2 - mean**2) / (total[:, 0] + 1)
    problems = seen.shape[0]
    return DirichletEstimate(float(worth[0] + mean.mean()), float(np.sqrt(spread.sum()) / problems))
