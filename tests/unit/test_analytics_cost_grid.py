"""The instant forms over many problems and budgets are the exact ones."""

from __future__ import annotations

import numpy as np
import pytest

from store.analytics.queries.grids import attempts_grid, fieller_limits
from store.analytics.statistics.attempts import expected_attempts
from store.analytics.statistics.cost_curves import ratio_interval
from store.analytics.statistics.coverage import pass_at_k_grid


@pytest.mark.parametrize("n", [1, 2, 7, 100, 3000])
def test_attempts_over_shared_tables_are_the_exact_attempts(n: int) -> None:
    c = np.unique(np.linspace(0, n, 12).astype(np.int64))
    sizes = np.full(c.size, n)
    ks = np.unique(np.concatenate([np.geomspace(1, n, 9).astype(np.int64), [n, n + 1, n + 2]]))
    exact = expected_attempts(sizes[:, None], c[:, None], ks[None, :])
    np.testing.assert_allclose(attempts_grid(sizes, c, ks), exact, rtol=1e-12)


@pytest.mark.parametrize("problems", [1, 2, 5, 60])
def test_limits_of_all_budgets_are_those_of_each(problems: int) -> None:
    random = np.random.default_rng(problems)
    price = random.gamma(2.0, 1e-4, problems)
    ks = np.array([1, 3, 10, 50])
    solved = pass_at_k_grid(np.full(problems, 50), random.integers(0, 9, problems), ks)
    limits = fieller_limits(price, solved, ks)
    for column, k in enumerate(ks.tolist()):
        exact = ratio_interval(price * k, solved[:, column], resamples=0).fieller or (np.nan, np.nan)
        np.testing.assert_allclose(limits[:, column], exact, rtol=1e-9)
