"""Distributions of the per-problem success rate: their pass@k for any k, and maximum likelihood from counts.

Fitted to counts these forecast beyond n and are labelled as forecasts, never shown as data. The sampling design does
not matter for the likelihood (a stopping rule is ignorable), only for the unbiased estimators.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import integrate, special

from store.analytics.statistics.arguments import FloatArray, require, require_budget, require_counts
from store.analytics.statistics.bayes import log_beta_ratio
from store.analytics.statistics.likelihood import at_limit, minimized


def _require_shape(alpha: float, beta: float) -> None:
    require(0 < alpha < math.inf and 0 < beta < math.inf, f"alpha and beta must be positive, got {alpha}, {beta}")


def beta_pass_at_k(alpha: float, beta: float, k: int) -> float:
    """pass@k where p ~ Beta(alpha, beta): 1 - B(a, b+k)/B(a, b), about 1 - G(a+b)/G(b) k^-a for large k."""
    _require_shape(alpha, beta)
    return -math.expm1(log_beta_ratio(alpha, beta, require_budget(k)))


def scaled_beta_pass_at_k(alpha: float, beta: float, scale: float, k: int) -> float:
    """pass@k where p/scale ~ Beta(alpha, beta): 1 - 2F1(-k, a; a+b; scale).

    The alternating series of 2F1 loses every digit for large k; the integral's terms all have one sign.
    """
    _require_shape(alpha, beta)
    require(0 < scale <= 1, f"scale must lie in (0, 1], got {scale}")
    return _pass_at_k_of_tail(lambda z: float(special.betaincc(alpha, beta, math.exp(-z))), scale, require_budget(k))


def kumaraswamy_pass_at_k(alpha: float, beta: float, k: int) -> float:
    """pass@k where p ~ Kumaraswamy(alpha, beta), F(p) = 1-(1-p^a)^b."""
    _require_shape(alpha, beta)
    return _pass_at_k_of_tail(lambda z: float((-math.expm1(-alpha * z)) ** beta), 1.0, require_budget(k))


def _pass_at_k_of_tail(tail: Callable[[float], float], scale: float, k: int) -> float:
    """int_0^scale k (1-p)^(k-1) P(rate > p) dp over p = scale exp(-z), given z -> P(rate > p); all terms positive."""
    if k == 0:
        return 0.0

    def integrand(z: float) -> float:
        p = scale * math.exp(-z)
        return k * p * math.exp((k - 1) * math.log1p(-p) if p < 1 else -math.inf) * tail(z)

    middle = math.log(max(k * scale, 1.0)) + 1
    parts = (
        integrate.quad(integrand, low, high, epsabs=1e-13, epsrel=1e-12, limit=400)[0]
        for low, high in ((1e-300, middle), (middle, middle + 45))
    )
    return min(math.fsum(parts), 1.0)


@dataclass(frozen=True)
class CountTable:
    """Distinct (n, c) pairs of a set of problems and how many problems (or what weight) each stands for."""

    n: FloatArray
    c: FloatArray
    weight: FloatArray

    @property
    def log_binomials(self) -> float:
        """Sum of ln C(n, c), the part of the log-likelihood without parameters."""
        logs = special.betaln(self.n - self.c + 1, self.c + 1) + np.log(self.n + 1)
        return -float(np.sum(self.weight * logs))


def count_table(n: ArrayLike, c: ArrayLike, weight: ArrayLike | None = None) -> CountTable:
    """Table of the problems that have any sample; n, c [P], weight [P] (default 1)."""
    samples, correct = require_counts(np.atleast_1d(np.asarray(n)), np.atleast_1d(np.asarray(c)))
    samples, correct = np.broadcast_arrays(samples, correct)
    pairs, back = np.unique(np.stack([samples, correct]), axis=1, return_inverse=True)
    many = np.bincount(back.reshape(-1), weights=weight, minlength=pairs.shape[1]).astype(np.float64)
    keep = (pairs[0] > 0) & (many > 0)
    return CountTable(pairs[0][keep].astype(np.float64), pairs[1][keep].astype(np.float64), many[keep])


def beta_binomial_loglik(n: ArrayLike, c: ArrayLike, alpha: float, beta: float) -> float:
    """Log-likelihood of counts under the beta-binomial, the binomial coefficient included."""
    _require_shape(alpha, beta)
    table = count_table(n, c)
    terms = special.betaln(table.c + alpha, table.n - table.c + beta) - special.betaln(alpha, beta)
    return float(table.log_binomials + table.weight @ terms)


@dataclass(frozen=True)
class BetaBinomialFit:
    """Maximum-likelihood fit; `impossible` is the share of problems that can never be solved (0 for the plain model).

    at_boundary: the likelihood still rose where the search ended (counts no more spread than one rate for all gives):
    of a resample that is a curve like another, of the counts themselves it is no fit (see `beta_binomial_mle`).
    """

    alpha: float
    beta: float
    neg_loglik: float
    impossible: float
    at_boundary: bool

    def pass_at_k(self, k: int) -> float:
        """Modelled coverage at any k."""
        return (1 - self.impossible) * beta_pass_at_k(self.alpha, self.beta, k)


def _negative(logs: FloatArray, table: CountTable) -> tuple[float, FloatArray]:
    """Minus the log-likelihood without its constant, and its gradient, in ln alpha and ln beta."""
    a, b = np.exp(logs)
    n, c, w = table.n, table.c, table.weight
    value = w @ (special.betaln(c + a, n - c + b) - special.betaln(a, b))
    both = w @ (special.digamma(a + b) - special.digamma(n + a + b))
    by_a = w @ (special.digamma(c + a) - special.digamma(a)) + both
    by_b = w @ (special.digamma(n - c + b) - special.digamma(b)) + both
    return -float(value), -np.array([a * by_a, b * by_b])


def _is_degenerate(table: CountTable) -> bool:
    """No success at all, or no failure at all: the likelihood has no inner maximum."""
    return table.n.size == 0 or not table.c.any() or bool(np.all(table.c == table.n))


def fit_beta_binomial(table: CountTable, start: tuple[float, float] | None = None) -> BetaBinomialFit | None:
    """Beta-binomial maximum likelihood; None where no problem or every sample succeeded (no inner maximum).

    `start` (alpha, beta) replaces the several starting points, for refits near a known fit.
    """
    if _is_degenerate(table):
        return None
    rate = float(table.weight @ table.c / (table.weight @ table.n))
    starts = [start] if start else [(rate * size, (1 - rate) * size) for size in (0.5, 20.0)]
    found = [minimized(lambda x: _negative(x, table), np.log(np.asarray(point))) for point in starts]
    logs, value = min(found, key=lambda result: result[1])
    alpha, beta = np.exp(logs)
    return BetaBinomialFit(float(alpha), float(beta), value - table.log_binomials, 0.0, at_limit(logs))


def beta_binomial_mle(n: ArrayLike, c: ArrayLike) -> BetaBinomialFit | None:
    """Beta-binomial maximum likelihood from counts n, c [P] (n may be one number); None where undefined.

    Undefined without a success, without a failure, and where counts are no more spread than one rate for all gives:
    the likelihood then rises without end as alpha and beta grow, so that they have no estimate.
    """
    return _inside(fit_beta_binomial(count_table(n, c)))


def _inside(fit: BetaBinomialFit | None) -> BetaBinomialFit | None:
    """The fit, if it is a maximum."""
    return None if fit is None or fit.at_boundary else fit


def _negative_inflated(values: FloatArray, table: CountTable) -> tuple[float, FloatArray]:
    """Minus the zero-inflated log-likelihood and gradient in logit of the impossible share, ln alpha, ln beta."""
    share = special.expit(values[0])
    a, b = np.exp(values[1:])
    n, c, w = table.n, table.c, table.weight
    log = special.betaln(c + a, n - c + b) - special.betaln(a, b)
    both = special.digamma(a + b) - special.digamma(n + a + b)
    by_a = special.digamma(c + a) - special.digamma(a) + both
    by_b = special.digamma(n - c + b) - special.digamma(b) + both
    zero = c == 0
    mixed = share + (1 - share) * np.exp(log)
    possible = np.where(zero, (1 - share) * np.exp(log) / mixed, 1.0)
    terms = np.where(zero, np.log(mixed), np.log1p(-share) + log)
    by_share = np.where(zero, share * (1 - share) * -np.expm1(log) / mixed, -share)
    gradient = np.array([w @ by_share, a * (w @ (possible * by_a)), b * (w @ (possible * by_b))])
    return -float(w @ terms), -gradient


def fit_zero_inflated(table: CountTable, start: BetaBinomialFit | None = None) -> BetaBinomialFit | None:
    """Zero-inflated beta-binomial by maximum likelihood; the plain fit where no impossible share improves on it."""
    plain = fit_beta_binomial(table, (start.alpha, start.beta) if start and not start.impossible else None)
    if plain is None:
        return None
    zeros = float(table.weight[table.c == 0].sum() / table.weight.sum())
    points = [(0.3 * zeros, plain.alpha, plain.beta), (0.9 * zeros, max(1.0, plain.alpha), max(3.0, plain.beta))]
    if start and start.impossible:
        points = [(start.impossible, start.alpha, start.beta)]
    fits = [plain]
    for share, alpha, beta in points if zeros > 0 else []:
        first = np.array([special.logit(share), math.log(alpha), math.log(beta)])
        x, value = minimized(lambda x: _negative_inflated(x, table), first)
        a, b = np.exp(x[1:])
        share = float(special.expit(x[0]))
        fits.append(BetaBinomialFit(float(a), float(b), value - table.log_binomials, share, at_limit(x[1:])))
    return min(fits, key=lambda fit: fit.neg_loglik)


def zero_inflated_mle(n: ArrayLike, c: ArrayLike) -> BetaBinomialFit | None:
    """Zero-inflated beta-binomial from counts n, c [P]; None where undefined, as for `beta_binomial_mle`."""
    return _inside(fit_zero_inflated(count_table(n, c)))


@dataclass(frozen=True)
class ZeroInflationTest:
    """Likelihood-ratio statistic of impossible problems against none, and its p value (half chi-square, boundary)."""

    statistic: float
    p: float


def zero_inflation_test(n: ArrayLike, c: ArrayLike) -> ZeroInflationTest | None:
    """Whether counts n, c [P] call for a share of impossible problems beside a beta-binomial; None where undefined."""
    table = count_table(n, c)
    plain, inflated = fit_beta_binomial(table), fit_zero_inflated(table)
    if plain is None or inflated is None:
        return None
    statistic = max(0.0, 2 * (plain.neg_loglik - inflated.neg_loglik))
    return ZeroInflationTest(statistic, 0.5 * float(special.chdtrc(1, statistic)) if statistic > 0 else 1.0)
