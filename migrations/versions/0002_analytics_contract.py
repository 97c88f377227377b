"""The contract: schema `analytics`, thin views with a comment on every column, and the role that reads nothing else."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

READER = "passatk_reader"

# view -> (comment, source, where, [(column, expression, comment)]); the mirror copies exactly these.
VIEWS: dict[str, tuple[str, str, list[tuple[str, str, str]]]] = {
    "benchmarks": (
        "One row per benchmark version.",
        "store.benchmarks",
        [
            ("benchmark_id", "benchmark_id", "key"),
            ("benchmark", "name", "name"),
            ("version", "version", "1, 2, ... as its content changed"),
            ("content_hash", "content_hash", "sha256 over the problems in order"),
            ("format", "format", "format it was imported from"),
            ("problem_count", "problem_count", "number of problems"),
            ("created_at", "created_at", "when it was imported"),
        ],
    ),
    "problems": (
        "One row per problem of a benchmark.",
        "store.problems",
        [
            ("problem_id", "problem_id", "key"),
            ("benchmark_id", "benchmark_id", "benchmark it belongs to"),
            ("position", "position", "0-based place in the benchmark"),
            ("problem", "key", "the benchmark's own name for it"),
            ("prompt", "prompt", "text given to the model"),
            ("reference_answer", "reference_answer", "known right answer, where there is one"),
            ("tests", "tests", "program text of the tests, where there are any"),
            ("entry_point", "entry_point", "function the tests call"),
            ("metadata", "metadata::text", "anything else the source said, as JSON text"),
        ],
    ),
    "models": (
        "One row per language model.",
        "store.models",
        [
            ("model_id", "model_id", "key"),
            ("model", "name", "name"),
            ("location", "location", "folder or hub name the engine loads"),
            ("backend", "backend", "engine that serves it, or none for samples drawn elsewhere"),
        ],
    ),
    "prices": (
        "Price sheet: the latest valid_from on or before a day counts; for equal dates the highest price_id.",
        "store.prices",
        [
            ("price_id", "price_id", "key"),
            ("model_id", "model_id", "model"),
            ("valid_from", "valid_from", "first day of the price"),
            ("input_usd_per_mtok", "input_usd_per_mtok::double precision", "US$ per million prompt tokens"),
            (
                "cached_input_usd_per_mtok",
                "coalesce(cached_input_usd_per_mtok, input_usd_per_mtok)::double precision",
                "US$ per million prompt tokens read from a cache",
            ),
            ("output_usd_per_mtok", "output_usd_per_mtok::double precision", "US$ per million completion tokens"),
            ("gpu_hour_usd", "gpu_hour_usd::double precision", "US$ per GPU hour; null when not paid by time"),
        ],
    ),
    "engines": (
        "One row per engine with the model revision it served.",
        "store.engines",
        [
            ("engine_id", "engine_id", "key"),
            ("engine", "engine", "engine, such as vllm"),
            ("engine_version", "engine_version", "its version"),
            ("model_revision", "model_revision", "hash over weights and configuration, or the hub's commit"),
            ("tokenizer_hash", "tokenizer_hash", "hash over the tokenizer"),
            ("device", "device", "cpu, or the GPU's name"),
        ],
    ),
    "verifiers": (
        "One row per verifier, version and options.",
        "store.verifiers",
        [
            ("verifier_id", "verifier_id", "key"),
            ("verifier", "name", "what judges"),
            ("version", "version", "version of its code"),
            ("options", "options::text", "limits and options, as JSON text"),
        ],
    ),
    "runs": (
        "One row per run: model, sampling parameters and stopping rule over a benchmark.",
        "store.runs",
        [
            ("run_id", "run_id", "key"),
            ("run", "name", "name"),
            ("benchmark_id", "benchmark_id", "benchmark"),
            ("model_id", "model_id", "model"),
            ("reference_verifier_id", "reference_verifier_id", "verifier taken as ground truth"),
            ("samples_per_problem", "samples_per_problem", "samples wanted for each problem; null when imported"),
            ("prompt_template", "prompt_template", "what the model is given around the problem's prompt"),
            ("temperature", "(sampling ->> 'temperature')::double precision", "sampling temperature"),
            ("top_p", "(sampling ->> 'top_p')::double precision", "nucleus sampling mass"),
            ("top_k", "(sampling ->> 'top_k')::integer", "top-k; 0 is off"),
            ("max_tokens", "(sampling ->> 'max_tokens')::integer", "longest completion in tokens"),
            ("sampling", "sampling::text", "all sampling parameters, as JSON text"),
            ("design", "design", "sampling design: fixed_n or unknown"),
            ("source", "source", "generated or imported"),
            ("provenance", "provenance::text", "of an import: file, hash, cutting, as JSON text"),
            ("fingerprint", "fingerprint", "sha256 over everything that changes a sample"),
            ("state", "state", "open, paused or cancelled"),
            ("created_at", "created_at", "when the run was created"),
        ],
    ),
    "batches": (
        "One row per unit of work. Rows of a batch are written all at once when it is done.",
        "store.batches",
        [
            ("batch_id", "batch_id", "key"),
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("verifier_id", "verifier_id", "verifier; null for a batch that drew samples"),
            ("attempt", "attempt", "attempt its verdicts carry"),
            ("first_index", "first_index", "first sample index"),
            ("end_index", "end_index", "one past the last sample index"),
            ("state", "state", "ready, leased, done, failed or cancelled"),
            ("tries", "tries", "how often a worker took it"),
            ("error", "error", "why the last try failed"),
            ("row_count", "row_count", "rows written"),
            ("created_at", "created_at", "when it was planned"),
            ("done_at", "done_at", "when its rows were written"),
        ],
    ),
    "samples": (
        "One row per sample, without its text.",
        "store.samples",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("sample_index", "sample_index", "0-based index in its run and problem"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("engine_id", "engine_id", "engine; null when drawn elsewhere"),
            ("seed", "seed", "seed; null when drawn elsewhere"),
            ("request_samples", "request_samples", "samples that shared the request and its prompt"),
            ("prompt_tokens", "prompt_tokens", "tokens of the prompt; null when unknown"),
            ("cached_prompt_tokens", "cached_prompt_tokens", "of them from the prefix cache"),
            ("completion_tokens", "completion_tokens", "tokens of the completion; null when unknown"),
            ("finish_reason", "finish_reason", "stop, length or abort"),
            ("cumulative_logprob", "cumulative_logprob", "natural log-probability of the completion"),
            ("latency_seconds", "latency_seconds", "seconds from asking to the last token"),
            ("completion_hash", "completion_hash", "64-bit hash of the completion"),
            ("created_at", "created_at", "when it was written"),
        ],
    ),
    "completions": (
        "The text of each sample.",
        "store.completions",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("sample_index", "sample_index", "index of the sample"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("completion", "completion", "text"),
        ],
    ),
    "verdicts": (
        "One row per judgement of a sample by a verifier.",
        "store.verdicts",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("sample_index", "sample_index", "index of the sample"),
            ("verifier_id", "verifier_id", "verifier"),
            ("attempt", "attempt", "0 for the first judgement"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("outcome", "outcome", "correct, incorrect or undecided"),
            ("reason", "reason", "why it is not correct"),
            ("answer", "answer", "normalised final answer"),
            ("score", "score", "number given by a scoring verifier"),
            ("seconds", "seconds", "seconds the judgement took"),
            ("created_at", "created_at", "when it was written"),
        ],
    ),
    "verifier_outputs": (
        "What a verifier said beside its verdict.",
        "store.verifier_outputs",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("sample_index", "sample_index", "index of the sample"),
            ("verifier_id", "verifier_id", "verifier"),
            ("attempt", "attempt", "0 for the first judgement"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("detail", "detail::text", "failing test, stderr tail, limits, sandbox, as JSON text"),
        ],
    ),
}

PROBLEM_COUNTS = """
CREATE VIEW analytics.problem_counts AS
WITH judged AS (
    SELECT
        run_id, verifier_id, problem_id, sample_index,
        count(*) FILTER (WHERE outcome = 'correct') AS correct,
        count(*) FILTER (WHERE outcome = 'incorrect') AS incorrect
    FROM store.verdicts
    GROUP BY run_id, verifier_id, problem_id, sample_index
)
SELECT
    run_id, verifier_id, problem_id,
    (count(*) FILTER (WHERE correct <> incorrect))::integer AS n,
    (count(*) FILTER (WHERE correct > incorrect))::integer AS c,
    (count(*) FILTER (WHERE correct = incorrect))::integer AS undecided
FROM judged
GROUP BY run_id, verifier_id, problem_id
"""

PROBLEM_COUNT_COLUMNS = {
    "run_id": "run",
    "verifier_id": "verifier",
    "problem_id": "problem",
    "n": "samples this verifier decided",
    "c": "of them correct, by majority of the attempts",
    "undecided": "samples it could not decide: its attempts broke, or are split evenly",
}

# Chen et al. 2021 (arXiv 2107.03374), as a sum of logarithms so that nothing overflows at n = 10,000.
PASS_AT_K = """
CREATE FUNCTION analytics.pass_at_k(n integer, c integer, k integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN n IS NULL OR c IS NULL OR k IS NULL OR k < 1 OR k > n OR c > n OR c < 0 THEN NULL
        WHEN c = 0 THEN 0.0
        WHEN n - c < k THEN 1.0
        ELSE 1.0 - exp((
            SELECT sum(ln(1.0 - greatest(c, k)::double precision / (n - i)))
            FROM generate_series(0, least(c, k) - 1) AS i
        ))
    END
$$
"""

# What a reader could otherwise use to stall the server or to change itself from inside a SELECT.
FORBIDDEN_FUNCTIONS = r"""
DO $$
DECLARE victim record;
BEGIN
    FOR victim IN
        SELECT p.oid::regprocedure AS signature
        FROM pg_proc AS p JOIN pg_namespace AS s ON s.oid = p.pronamespace
        WHERE s.nspname = 'pg_catalog' AND (
            p.proname ~ '^pg_(try_)?advisory_' OR p.proname ~ '^(lo_|loread|lowrite)' OR p.proname ~ '_to_xml'
            OR p.proname IN ('pg_sleep', 'pg_sleep_for', 'pg_sleep_until', 'pg_notify', 'set_config',
                             'pg_logical_emit_message')
        )
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', victim.signature);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO CURRENT_USER', victim.signature);
    END LOOP;
END
$$
"""


def _create_role() -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{READER}') THEN
                CREATE ROLE {READER} LOGIN NOINHERIT CONNECTION LIMIT 20;
            END IF;
        END $$
        """  # noqa: S608 - the name is this module's own
    )
    for setting in (
        "default_transaction_read_only = on",
        "statement_timeout = '60s'",
        "lock_timeout = '5s'",
        "idle_in_transaction_session_timeout = '60s'",
        "max_parallel_workers_per_gather = 0",
        "search_path = analytics",
    ):
        op.execute(f"ALTER ROLE {READER} SET {setting}")


def _create_views() -> None:
    for name, (comment, source, columns) in VIEWS.items():
        selected = ", ".join(f"{expression} AS {column}" for column, expression, _ in columns)
        op.execute(f"CREATE VIEW analytics.{name} AS SELECT {selected} FROM {source}")  # noqa: S608
        op.execute(f"COMMENT ON VIEW analytics.{name} IS '{comment}'")
        for column, _, text in columns:
            op.execute(f"COMMENT ON COLUMN analytics.{name}.{column} IS '{text.replace(chr(39), chr(39) * 2)}'")


def upgrade() -> None:
    op.execute("CREATE SCHEMA analytics")
    op.execute("COMMENT ON SCHEMA analytics IS 'The contract: what analysts and the mirror read.'")
    _create_views()
    op.execute(PROBLEM_COUNTS)
    op.execute("COMMENT ON VIEW analytics.problem_counts IS 'Judged and correct samples per run, verifier, problem.'")
    for column, text in PROBLEM_COUNT_COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN analytics.problem_counts.{column} IS '{text}'")
    op.execute(PASS_AT_K)
    op.execute(
        "COMMENT ON FUNCTION analytics.pass_at_k IS "
        "'Unbiased pass@k of one problem with n judged samples, c of them correct; null when k > n.'"
    )
    _create_role()
    database = op.get_bind().execute(sa.text("SELECT current_database()")).scalar_one()
    op.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
    op.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {READER}')
    op.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    op.execute("REVOKE ALL ON SCHEMA store FROM PUBLIC")
    op.execute(f"GRANT USAGE ON SCHEMA analytics TO {READER}")
    op.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO {READER}")
    op.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics TO {READER}")
    superuser = (
        op.get_bind().execute(sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar_one()
    )
    if superuser:  # only a superuser may take system functions and the language away
        op.execute(FORBIDDEN_FUNCTIONS)
        op.execute("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC")


def downgrade() -> None:
    op.execute("DROP SCHEMA analytics CASCADE")
    database = op.get_bind().execute(sa.text("SELECT current_database()")).scalar_one()
    op.execute(f'REVOKE ALL ON DATABASE "{database}" FROM {READER}')
    op.execute(f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO PUBLIC')
    # The role belongs to the cluster: another database of it may still grant to it, so it stays.
