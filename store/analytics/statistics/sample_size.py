"""How many problems a paired comparison needs, and what difference a number of problems can show."""

import math

from scipy import special

from store.analytics.statistics.arguments import require


def _sampling_variance(omega2: float, sigma_a2: float, sigma_b2: float, k_a: float, k_b: float) -> float:
    """Variance of one problem's difference: between problems plus sampling noise of k_a and k_b samples."""
    require(min(omega2, sigma_a2, sigma_b2) >= 0, "variances must not be negative")
    require(k_a > 0 and k_b > 0, "samples a problem must be positive")
    return omega2 + sigma_a2 / k_a + sigma_b2 / k_b


def _both_quantiles(alpha: float, power: float) -> float:
    require(0 < alpha < 1 and 0 < power < 1, "alpha and power must lie strictly between 0 and 1")
    return float(special.ndtri(1 - alpha / 2) + special.ndtri(power))


def sample_size_paired(
    omega2: float,
    sigma_a2: float,
    sigma_b2: float,
    k_a: float,
    k_b: float,
    delta: float,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float | None:
    """Problems needed to detect a mean difference `delta` (Miller 2411.00640); fractional, None for delta = 0.

    omega2: variance of the true per-problem differences; sigma_a2, sigma_b2: mean sampling variances of one sample.
    """
    variance = _sampling_variance(omega2, sigma_a2, sigma_b2, k_a, k_b)
    factor = _both_quantiles(alpha, power)
    return factor**2 * variance / delta**2 if delta else None


def mde_paired(
    omega2: float,
    sigma_a2: float,
    sigma_b2: float,
    k_a: float,
    k_b: float,
    n: int,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float | None:
    """Smallest mean difference that n problems detect (Miller 2411.00640); None without problems."""
    variance = _sampling_variance(omega2, sigma_a2, sigma_b2, k_a, k_b)
    factor = _both_quantiles(alpha, power)
    return factor * math.sqrt(variance / n) if n > 0 else None
