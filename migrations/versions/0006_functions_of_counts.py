"""Functions of one problem's counts in the contract, and a reader that can disturb less."""

from alembic import op

from migrations.contract import READER

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BAD = "n IS NULL OR c IS NULL OR k IS NULL OR k < 1 OR c > n OR c < 0"
#: exp() of less is an error in Postgres, not 0.
_LEAST = "-700.0::double precision"
_NATURAL = "n integer, c integer, k integer"

_PASS_AT_K = """
CREATE OR REPLACE FUNCTION analytics.pass_at_k(n integer, c integer, k integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN n IS NULL OR c IS NULL OR k IS NULL OR k < 1 OR k > n OR c > n OR c < 0 THEN NULL
        WHEN c = 0 THEN 0.0
        WHEN n - c < k THEN 1.0
        ELSE 1.0 - exp({})
    END
$$
"""
_LOG_FAIL = """(
    SELECT sum(ln(1.0 - greatest(c, k)::double precision / (n - i)))
    FROM generate_series(0, least(c, k) - 1) AS i
)"""

# name -> (parameters, body, comment). The mirror's catalogue has macros of the same names and values.
FUNCTIONS: dict[str, tuple[str, str, str]] = {
    "log_fail_at_k": (
        _NATURAL,
        f"""
        SELECT CASE
            WHEN {_BAD} OR k > n THEN NULL
            WHEN c = 0 THEN 0.0
            WHEN n - c < k THEN '-Infinity'::double precision
            ELSE (
                SELECT sum(ln(1.0 - greatest(c, k)::double precision / (n - i)))
                FROM generate_series(0, least(c, k) - 1) AS i
            )
        END
        """,  # noqa: S608 - this module's own text
        "Natural log of the chance that none of k samples is correct, for coverage near 1; null when k > n.",
    ),
    "pass_hat_k": (
        _NATURAL,
        f"""
        SELECT CASE
            WHEN {_BAD} OR k > n THEN NULL
            WHEN c < k THEN 0.0
            WHEN c = n THEN 1.0
            ELSE exp(greatest({_LEAST}, (
                SELECT sum(ln(1.0 - greatest(n - c, k)::double precision / (n - i)))
                FROM generate_series(0, least(n - c, k) - 1) AS i
            )))
        END
        """,  # noqa: S608 - this module's own text
        "Unbiased chance that all k samples are correct (pass^k); null when k > n.",
    ),
    "g_pass_at_k": (
        f"{_NATURAL}, tau numeric",
        f"""
        SELECT CASE
            WHEN {_BAD} OR k > n OR tau IS NULL OR tau < 0 OR tau > 1 THEN NULL
            WHEN least(c, k) < greatest(1, ceil(round(tau, 9) * k)) THEN 0.0
            ELSE (
                SELECT coalesce(sum(w) FILTER (WHERE j >= greatest(1, ceil(round(tau, 9) * k))), 0.0) / sum(w)
                FROM (
                    SELECT j, exp(greatest({_LEAST}, l - max(l) OVER ())) AS w FROM (
                        SELECT
                            j,
                            coalesce(
                                sum(
                                    CASE WHEN j < least(c, k) THEN
                                        ln((c - j)::double precision * (k - j))
                                        - ln((j + 1)::double precision * (n - c - k + j + 1))
                                    END
                                ) OVER (ORDER BY j ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                                0.0
                            ) AS l
                        FROM generate_series(greatest(0, k - (n - c)), least(c, k)) AS j
                    ) AS logs
                ) AS weights
            )
        END
        """,  # noqa: S608 - this module's own text
        "Unbiased chance that at least a share tau of k samples, and at least one, is correct (G-pass@k).",
    ),
    "expected_attempts": (
        _NATURAL,
        f"""
        SELECT CASE
            WHEN {_BAD} OR k > n + 1 THEN NULL
            WHEN k = n + 1 THEN (n + 1.0)::double precision / (c + 1)
            ELSE (n + 1 - (n + 1 - k) * (1.0 - analytics.pass_at_k(n, c, k))) / (c + 1)
        END
        """,
        "Expected samples when stopping at the first correct one, at most k; null when k > n + 1.",
    ),
    "pass_at_k_within_var": (
        _NATURAL,
        f"""
        SELECT CASE
            WHEN {_BAD} OR 2 * k > n THEN NULL
            ELSE (1.0 - analytics.pass_at_k(n, c, k)) ^ 2 - (1.0 - analytics.pass_at_k(n, c, 2 * k))
        END
        """,
        "Unbiased variance of pass@k that sampling alone gives one problem; null when 2k > n.",
    ),
    "inverse_sampling_fail_at_k": (
        "draws integer, successes integer, k integer",
        f"""
        SELECT CASE
            WHEN draws IS NULL OR successes IS NULL OR k IS NULL OR successes < 1 OR draws < successes OR k < 0
                THEN NULL
            WHEN k = 0 THEN 1.0
            WHEN draws - 1 - k < successes - 1 THEN 0.0
            WHEN successes = 1 THEN 1.0
            ELSE exp(greatest({_LEAST}, analytics.log_fail_at_k(draws - 1, successes - 1, k)))
        END
        """,
        "Unbiased chance that k samples all fail, where sampling stopped at the given number of successes.",
    ),
}

# What a reader could use to disturb others of the same login, or to use up transaction numbers, from inside a SELECT.
_DISTURBING = (
    "p.proname IN ('pg_cancel_backend', 'pg_terminate_backend', 'pg_current_xact_id', 'txid_current', "
    "'pg_export_snapshot', 'pg_switch_wal', 'pg_create_restore_point')"
)
_SETTINGS = {"idle_session_timeout": "'15min'", "temp_file_limit": "'2GB'", "work_mem": "'64MB'"}


def _change_execute(change: str) -> str:
    """Take EXECUTE of the disturbing functions from everyone but the owner of the store, or give it back."""
    return f"""
    DO $$
    DECLARE victim record;
    BEGIN
        FOR victim IN
            SELECT p.oid::regprocedure AS signature
            FROM pg_proc AS p JOIN pg_namespace AS s ON s.oid = p.pronamespace
            WHERE s.nspname = 'pg_catalog' AND {_DISTURBING}
        LOOP
            {change}
        END LOOP;
    END
    $$
    """  # noqa: S608 - this module's own text


def _superuser() -> bool:
    return bool(
        op.get_bind().exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar_one()
    )


def upgrade() -> None:
    op.execute(_PASS_AT_K.format(f"greatest({_LEAST}, {_LOG_FAIL})"))
    for name, (parameters, body, comment) in FUNCTIONS.items():
        op.execute(
            f"CREATE FUNCTION analytics.{name}({parameters}) RETURNS double precision "
            f"LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ {body} $$"
        )
        op.execute(f"COMMENT ON FUNCTION analytics.{name} IS '{comment}'")
        op.execute(f"GRANT EXECUTE ON FUNCTION analytics.{name} TO {READER}")
    op.execute(f"ALTER ROLE {READER} SET idle_session_timeout = {_SETTINGS['idle_session_timeout']}")
    op.execute(f"ALTER ROLE {READER} SET work_mem = {_SETTINGS['work_mem']}")
    if _superuser():  # only a superuser may limit another's files, or take system functions away
        op.execute(f"ALTER ROLE {READER} SET temp_file_limit = {_SETTINGS['temp_file_limit']}")
        op.execute(
            _change_execute(
                "EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', victim.signature); "
                "EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO CURRENT_USER', victim.signature);"
            )
        )


def downgrade() -> None:
    op.execute(_PASS_AT_K.format(_LOG_FAIL))
    for name in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION analytics.{name}")
    for setting in _SETTINGS:
        op.execute(f"ALTER ROLE {READER} RESET {setting}")
