"""Macros of the catalogue: the contract's functions under the same names and with the same values as in Postgres."""

from __future__ import annotations

import duckdb

# Chen et al. 2021 (arXiv 2107.03374), as a product over min(c, k) terms: nothing overflows at n = 10,000.
_PASS_AT_K = """
    CASE
        WHEN n IS NULL OR c IS NULL OR k IS NULL OR k < 1 OR k > n OR c > n OR c < 0 THEN NULL
        WHEN c = 0 THEN 0.0::DOUBLE
        WHEN n - c < k THEN 1.0::DOUBLE
        ELSE 1.0::DOUBLE - list_product(
            list_transform(range(0, least(c, k)), lambda i: 1.0::DOUBLE - greatest(c, k)::DOUBLE / (n - i))
        )
    END
"""

#: name -> (parameters, body, comment)
MACROS: dict[str, tuple[str, str, str]] = {
    "pass_at_k": (
        "n, c, k",
        _PASS_AT_K,
        "Unbiased pass@k of one problem with n judged samples, c of them correct; null when k > n.",
    ),
}


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create them in schema `analytics`, and under their bare names for clients whose search path is the default."""
    for schema in ("analytics", "main"):
        for name, (parameters, body, comment) in MACROS.items():
            connection.execute(f"CREATE MACRO {schema}.{name}({parameters}) AS {body}")
            connection.execute(f"COMMENT ON MACRO {schema}.{name} IS '{comment}'")
