"""Macros of the catalogue: the contract's functions under the same names and with the same values as in Postgres."""

from __future__ import annotations

import duckdb

_BAD = "n IS NULL OR c IS NULL OR k IS NULL OR k < 1 OR c > n OR c < 0"

# Chen et al. 2021 (arXiv 2107.03374), as a product over min(c, k) terms: nothing overflows at n = 10,000.
_FAIL = """
list_product(list_transform(range(0, least(c, {k})), lambda i: 1.0::DOUBLE - greatest(c, {k})::DOUBLE / (n - i)))
"""
_PASS_AT_K = f"""
CASE
    WHEN {_BAD} OR k > n THEN NULL
    WHEN c = 0 THEN 0.0::DOUBLE
    WHEN n - c < k THEN 1.0::DOUBLE
    ELSE 1.0::DOUBLE - {_FAIL.format(k="k")}
END
"""


def _fail_at(k: str) -> str:
    """The chance that none of k samples is correct, for k up to n."""
    fail = _FAIL.format(k=k)
    return f"CASE WHEN c = 0 THEN 1.0::DOUBLE WHEN n - c < {k} THEN 0.0::DOUBLE ELSE {fail} END"


_LOG_FAIL = """
list_sum(list_transform(range(0, least({c}, k)), lambda i: ln(1.0::DOUBLE - greatest({c}, k)::DOUBLE / ({n} - i))))
"""
_LEAST_CORRECT = "greatest(1, ceil(tau::DECIMAL(12, 9) * k))"
# The hypergeometric weights relative to the largest, stepwise from there in both directions: all positive, none large.
# A step carries [weight, sum of those with enough correct ones, sum of all].
_MODE = "greatest(0, k - (n - c), least(c, k, (k + 1)::BIGINT * (c + 1) // (n + 2)))"
_STEP = """
lambda w, x: [w[1] * x[1], w[2] + w[1] * x[1] * x[2], w[3] + w[1] * x[1]], [1.0::DOUBLE, 0.0::DOUBLE, 0.0::DOUBLE]
"""
_UP = f"""
list_reduce(list_transform(range({_MODE}, least(c, k)), lambda j: [
    (c - j)::DOUBLE * (k - j) / ((j + 1)::DOUBLE * (n - c - k + j + 1)),
    (j + 1 >= {_LEAST_CORRECT})::DOUBLE,
    0.0::DOUBLE
]), {_STEP})
"""
_DOWN = f"""
list_reduce(list_transform(range({_MODE}, greatest(0, k - (n - c)), -1), lambda j: [
    j::DOUBLE * (n - c - k + j) / ((c - j + 1)::DOUBLE * (k - j + 1)),
    (j - 1 >= {_LEAST_CORRECT})::DOUBLE,
    0.0::DOUBLE
]), {_STEP})
"""

#: name -> (parameters, body, comment)
MACROS: dict[str, tuple[str, str, str]] = {
    "pass_at_k": (
        "n, c, k",
        _PASS_AT_K,
        "Unbiased pass@k of one problem with n judged samples, c of them correct; null when k > n.",
    ),
    "log_fail_at_k": (
        "n, c, k",
        f"""
        CASE
            WHEN {_BAD} OR k > n THEN NULL
            WHEN c = 0 THEN 0.0::DOUBLE
            WHEN n - c < k THEN '-Infinity'::DOUBLE
            ELSE {_LOG_FAIL.format(n="n", c="c")}
        END
        """,
        "Natural log of the chance that none of k samples is correct, for coverage near 1; null when k > n.",
    ),
    "pass_hat_k": (
        "n, c, k",
        f"""
        CASE
            WHEN {_BAD} OR k > n THEN NULL
            WHEN c < k THEN 0.0::DOUBLE
            WHEN c = n THEN 1.0::DOUBLE
            ELSE list_product(
                list_transform(range(0, least(n - c, k)), lambda i: 1.0::DOUBLE - greatest(n - c, k)::DOUBLE / (n - i))
            )
        END
        """,
        "Unbiased chance that all k samples are correct (pass^k); null when k > n.",
    ),
    "g_pass_at_k": (
        "n, c, k, tau",
        f"""
        CASE
            WHEN {_BAD} OR k > n OR tau IS NULL OR tau < 0 OR tau > 1 THEN NULL
            WHEN least(c, k) < {_LEAST_CORRECT} THEN 0.0::DOUBLE
            ELSE (({_MODE} >= {_LEAST_CORRECT})::DOUBLE + ({_UP})[2] + ({_DOWN})[2])
                / (1.0::DOUBLE + ({_UP})[3] + ({_DOWN})[3])
        END
        """,
        "Unbiased chance that at least a share tau of k samples, and at least one, is correct (G-pass@k).",
    ),
    "expected_attempts": (
        "n, c, k",
        f"""
        CASE
            WHEN {_BAD} OR k > n + 1 THEN NULL
            WHEN k = n + 1 THEN (n + 1)::DOUBLE / (c + 1)
            ELSE (n + 1 - (n + 1 - k) * ({_fail_at("k")})) / (c + 1)
        END
        """,
        "Expected samples when stopping at the first correct one, at most k; null when k > n + 1.",
    ),
    "pass_at_k_within_var": (
        "n, c, k",
        f"""
        CASE WHEN {_BAD} OR 2 * k > n THEN NULL ELSE pow({_fail_at("k")}, 2) - ({_fail_at("(2 * k)")}) END
        """,
        "Unbiased variance of pass@k that sampling alone gives one problem; null when 2k > n.",
    ),
    "inverse_sampling_fail_at_k": (
        "draws, successes, k",
        f"""
        CASE
            WHEN draws IS NULL OR successes IS NULL OR k IS NULL OR successes < 1 OR draws < successes OR k < 0
                THEN NULL
            WHEN k = 0 THEN 1.0::DOUBLE
            WHEN draws - 1 - k < successes - 1 THEN 0.0::DOUBLE
            WHEN successes = 1 THEN 1.0::DOUBLE
            ELSE exp({_LOG_FAIL.format(n="(draws - 1)", c="(successes - 1)")})
        END
        """,
        "Unbiased chance that k samples all fail, where sampling stopped at the given number of successes.",
    ),
}


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create them in schema `analytics`, and under their bare names for clients whose search path is the default."""
    for schema in ("analytics", "main"):
        for name, (parameters, body, comment) in MACROS.items():
            connection.execute(f"CREATE MACRO {schema}.{name}({parameters}) AS {body}")
            connection.execute(f"COMMENT ON MACRO {schema}.{name} IS '{comment}'")
