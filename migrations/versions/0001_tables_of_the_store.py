"""tables of the store"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA store")
    op.create_table(
        "benchmarks",
        sa.Column("benchmark_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("name", sa.Text(), nullable=False, comment="name people use"),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="1 for the first content imported under the name, then counted up",
        ),
        sa.Column("content_hash", sa.Text(), nullable=False, comment="sha256 over the problems in order"),
        sa.Column(
            "format", sa.Text(), nullable=False, comment="format it was imported from: jsonl, humaneval or gsm8k"
        ),
        sa.Column("source", sa.Text(), nullable=False, comment="file it was imported from"),
        sa.Column("problem_count", sa.Integer(), nullable=False, comment="number of problems"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.CheckConstraint("problem_count > 0", name=op.f("ck_benchmarks_problem_count")),
        sa.PrimaryKeyConstraint("benchmark_id", name=op.f("pk_benchmarks")),
        sa.UniqueConstraint("name", "content_hash", name=op.f("uq_benchmarks_name_content_hash")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_benchmarks_name_version")),
        schema="store",
        comment="A named, versioned, content-hashed set of problems.",
    )
    op.create_table(
        "completions",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="run"),
        sa.Column("problem_id", sa.Integer(), autoincrement=False, nullable=False, comment="problem"),
        sa.Column(
            "sample_index",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="0-based index of the sample in its run and problem",
        ),
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="batch that wrote it"),
        sa.Column("completion", sa.Text(), nullable=False, comment="text of the sample"),
        sa.PrimaryKeyConstraint("run_id", "problem_id", "sample_index", name=op.f("pk_completions")),
        schema="store",
        comment="The text of each sample, apart from the narrow rows that are scanned.",
    )
    op.create_index(
        "ix_completions_batch_id", "completions", ["batch_id"], unique=False, schema="store", postgresql_using="brin"
    )
    op.create_table(
        "engines",
        sa.Column("engine_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("engine", sa.Text(), nullable=False, comment="engine, such as vllm"),
        sa.Column("engine_version", sa.Text(), nullable=False, comment="version of the engine"),
        sa.Column(
            "model_revision",
            sa.Text(),
            nullable=False,
            comment="hash over the model's weights and configuration, or the hub's commit",
        ),
        sa.Column("tokenizer_hash", sa.Text(), nullable=False, comment="hash over the tokenizer"),
        sa.Column("device", sa.Text(), nullable=False, comment="cpu, or the GPU's name"),
        sa.Column("fingerprint", sa.Text(), nullable=False, comment="sha256 over all of these"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.PrimaryKeyConstraint("engine_id", name=op.f("pk_engines")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_engines_fingerprint")),
        schema="store",
        comment="An engine with the model revision it served.",
    )
    op.create_table(
        "models",
        sa.Column("model_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("name", sa.Text(), nullable=False, comment="name people use"),
        sa.Column("location", sa.Text(), nullable=False, comment="folder or hub name the engine loads"),
        sa.Column(
            "backend",
            sa.Text(),
            nullable=False,
            comment="engine that serves it: vllm, openai, or none for samples drawn elsewhere",
        ),
        sa.Column(
            "options",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="options handed to the engine",
        ),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_models")),
        sa.UniqueConstraint("name", name=op.f("uq_models_name")),
        schema="store",
        comment="A language model.",
    )
    op.create_table(
        "samples",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="run"),
        sa.Column("problem_id", sa.Integer(), autoincrement=False, nullable=False, comment="problem"),
        sa.Column(
            "sample_index",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="0-based index of the sample in its run and problem",
        ),
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="batch that wrote it"),
        sa.Column("engine_id", sa.Integer(), nullable=True, comment="engine that drew it; null when drawn elsewhere"),
        sa.Column("seed", sa.BigInteger(), nullable=True, comment="seed it was drawn with; null when drawn elsewhere"),
        sa.Column(
            "request_samples", sa.Integer(), nullable=True, comment="samples that shared its request, and so its prompt"
        ),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True, comment="tokens of the prompt; null when unknown"),
        sa.Column("cached_prompt_tokens", sa.Integer(), nullable=True, comment="of them from the prefix cache"),
        sa.Column(
            "completion_tokens", sa.Integer(), nullable=True, comment="tokens of the completion; null when unknown"
        ),
        sa.Column("finish_reason", sa.Text(), nullable=True, comment="stop, length or abort; null when unknown"),
        sa.Column("cumulative_logprob", sa.REAL(), nullable=True, comment="natural log-probability of the completion"),
        sa.Column("latency_seconds", sa.REAL(), nullable=True, comment="seconds from asking to the last token"),
        sa.Column(
            "completion_hash",
            sa.BigInteger(),
            nullable=False,
            comment="64-bit hash of the completion; equal texts have equal hashes",
        ),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.PrimaryKeyConstraint("run_id", "problem_id", "sample_index", name=op.f("pk_samples")),
        schema="store",
        comment="One generation for one problem in one run. Append-only.",
    )
    op.create_index(
        "ix_samples_batch_id", "samples", ["batch_id"], unique=False, schema="store", postgresql_using="brin"
    )
    op.create_table(
        "verdicts",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="run"),
        sa.Column("problem_id", sa.Integer(), autoincrement=False, nullable=False, comment="problem"),
        sa.Column(
            "sample_index",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="0-based index of the sample in its run and problem",
        ),
        sa.Column("verifier_id", sa.Integer(), autoincrement=False, nullable=False, comment="verifier"),
        sa.Column(
            "attempt", sa.SmallInteger(), autoincrement=False, nullable=False, comment="0 for the first judgement"
        ),
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="batch that wrote it"),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=False,
            comment="correct, incorrect, or undecided when the verifier or its host broke",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it is not correct"),
        sa.Column("answer", sa.Text(), nullable=True, comment="normalised final answer taken from the completion"),
        sa.Column("score", sa.REAL(), nullable=True, comment="number given by a scoring verifier"),
        sa.Column("seconds", sa.REAL(), nullable=False, comment="seconds the judgement took"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.CheckConstraint("outcome IN ('correct', 'incorrect', 'undecided')", name=op.f("ck_verdicts_outcome")),
        sa.PrimaryKeyConstraint(
            "run_id", "problem_id", "sample_index", "verifier_id", "attempt", name=op.f("pk_verdicts")
        ),
        schema="store",
        comment="One judgement of one sample by one verifier. Append-only: judging again adds rows.",
    )
    op.create_index(
        "ix_verdicts_batch_id", "verdicts", ["batch_id"], unique=False, schema="store", postgresql_using="brin"
    )
    op.create_table(
        "verifier_outputs",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="run"),
        sa.Column("problem_id", sa.Integer(), autoincrement=False, nullable=False, comment="problem"),
        sa.Column(
            "sample_index",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="0-based index of the sample in its run and problem",
        ),
        sa.Column("verifier_id", sa.Integer(), autoincrement=False, nullable=False, comment="verifier"),
        sa.Column(
            "attempt", sa.SmallInteger(), autoincrement=False, nullable=False, comment="0 for the first judgement"
        ),
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="batch that wrote it"),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="failing test, expected and got, stderr tail, limits, sandbox",
        ),
        sa.PrimaryKeyConstraint(
            "run_id", "problem_id", "sample_index", "verifier_id", "attempt", name=op.f("pk_verifier_outputs")
        ),
        schema="store",
        comment="What a verifier said beside its verdict, apart from the narrow rows that are scanned.",
    )
    op.create_index(
        "ix_verifier_outputs_batch_id",
        "verifier_outputs",
        ["batch_id"],
        unique=False,
        schema="store",
        postgresql_using="brin",
    )
    op.create_table(
        "verifiers",
        sa.Column("verifier_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column(
            "name", sa.Text(), nullable=False, comment="what judges: answer, chain, unit-tests, imported:TOOL, ..."
        ),
        sa.Column("version", sa.Text(), nullable=False, comment="version of its code"),
        sa.Column(
            "options",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="limits and options that change verdicts",
        ),
        sa.Column("fingerprint", sa.Text(), nullable=False, comment="sha256 over name, version and options"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.PrimaryKeyConstraint("verifier_id", name=op.f("pk_verifiers")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_verifiers_fingerprint")),
        schema="store",
        comment="What judges a sample: name, version and options.",
    )
    op.create_table(
        "prices",
        sa.Column(
            "price_id",
            sa.Integer(),
            sa.Identity(always=True),
            nullable=False,
            comment="key; of two prices for one model and date the later key counts",
        ),
        sa.Column("model_id", sa.Integer(), nullable=False, comment="model"),
        sa.Column("valid_from", sa.Date(), nullable=False, comment="first day of the price"),
        sa.Column("input_usd_per_mtok", sa.Numeric(), nullable=False, comment="US$ per million prompt tokens"),
        sa.Column(
            "cached_input_usd_per_mtok",
            sa.Numeric(),
            nullable=True,
            comment="US$ per million cached prompt tokens; null: as input",
        ),
        sa.Column("output_usd_per_mtok", sa.Numeric(), nullable=False, comment="US$ per million completion tokens"),
        sa.Column(
            "gpu_hour_usd", sa.Numeric(), nullable=True, comment="US$ per GPU hour, where the model is paid by time"
        ),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.CheckConstraint(
            "input_usd_per_mtok >= 0 AND output_usd_per_mtok >= 0 AND coalesce(cached_input_usd_per_mtok, 0) >= 0 "
            "AND coalesce(gpu_hour_usd, 0) >= 0",
            name=op.f("ck_prices_not_negative"),
        ),
        sa.ForeignKeyConstraint(["model_id"], ["store.models.model_id"], name=op.f("fk_prices_model_id")),
        sa.PrimaryKeyConstraint("price_id", name=op.f("pk_prices")),
        schema="store",
        comment="Versioned price sheet; never updated, so that stored samples can be priced again.",
    )
    op.create_index(
        op.f("ix_prices_model_id_valid_from"), "prices", ["model_id", "valid_from"], unique=False, schema="store"
    )
    op.create_table(
        "problems",
        sa.Column("problem_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("benchmark_id", sa.Integer(), nullable=False, comment="benchmark it belongs to"),
        sa.Column("position", sa.Integer(), nullable=False, comment="0-based place in the benchmark"),
        sa.Column("key", sa.Text(), nullable=False, comment="the benchmark's own name for the problem"),
        sa.Column("prompt", sa.Text(), nullable=False, comment="text given to the model"),
        sa.Column("reference_answer", sa.Text(), nullable=True, comment="known right answer, where there is one"),
        sa.Column("tests", sa.Text(), nullable=True, comment="program text of the tests, where there are any"),
        sa.Column("entry_point", sa.Text(), nullable=True, comment="function the tests call"),
        sa.Column(
            "metadata",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="anything else the source said",
        ),
        sa.ForeignKeyConstraint(
            ["benchmark_id"], ["store.benchmarks.benchmark_id"], name=op.f("fk_problems_benchmark_id")
        ),
        sa.PrimaryKeyConstraint("problem_id", name=op.f("pk_problems")),
        sa.UniqueConstraint("benchmark_id", "key", name=op.f("uq_problems_benchmark_id_key")),
        sa.UniqueConstraint("benchmark_id", "position", name=op.f("uq_problems_benchmark_id_position")),
        schema="store",
        comment="One problem of a benchmark (SWE-bench calls it an issue).",
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("name", sa.Text(), nullable=False, comment="name people use"),
        sa.Column("benchmark_id", sa.Integer(), nullable=False, comment="benchmark"),
        sa.Column("model_id", sa.Integer(), nullable=False, comment="model"),
        sa.Column(
            "reference_verifier_id", sa.Integer(), nullable=True, comment="verifier taken as ground truth for coverage"
        ),
        sa.Column(
            "samples_per_problem",
            sa.Integer(),
            nullable=True,
            comment="samples wanted for each problem; null when others drew them",
        ),
        sa.Column(
            "prompt_template",
            sa.Text(),
            nullable=False,
            comment="what the model is given; {prompt} stands for the problem's prompt",
        ),
        sa.Column(
            "sampling",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="temperature, top_p, top_k, max_tokens, stop, seed",
        ),
        sa.Column(
            "design",
            sa.Text(),
            nullable=False,
            comment="sampling design: fixed_n, or unknown for samples drawn elsewhere",
        ),
        sa.Column("source", sa.Text(), nullable=False, comment="generated here, or imported"),
        sa.Column(
            "provenance",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="of an import: file, hash, cutting",
        ),
        sa.Column("fingerprint", sa.Text(), nullable=False, comment="sha256 over everything that changes a sample"),
        sa.Column("state", sa.Text(), server_default="open", nullable=False, comment="open, paused or cancelled"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.CheckConstraint("source IN ('generated', 'imported')", name=op.f("ck_runs_source")),
        sa.CheckConstraint("state IN ('open', 'paused', 'cancelled')", name=op.f("ck_runs_state")),
        sa.CheckConstraint("samples_per_problem > 0", name=op.f("ck_runs_samples_per_problem")),
        sa.ForeignKeyConstraint(["benchmark_id"], ["store.benchmarks.benchmark_id"], name=op.f("fk_runs_benchmark_id")),
        sa.ForeignKeyConstraint(["model_id"], ["store.models.model_id"], name=op.f("fk_runs_model_id")),
        sa.ForeignKeyConstraint(
            ["reference_verifier_id"], ["store.verifiers.verifier_id"], name=op.f("fk_runs_reference_verifier_id")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
        sa.UniqueConstraint("name", name=op.f("uq_runs_name")),
        schema="store",
        comment="One model, prompt template, sampling parameters and stopping rule over a benchmark.",
    )
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("run_id", sa.Integer(), nullable=False, comment="run"),
        sa.Column("problem_id", sa.Integer(), nullable=False, comment="problem"),
        sa.Column(
            "verifier_id",
            sa.Integer(),
            nullable=True,
            comment="verifier that judges; null for a batch that draws samples",
        ),
        sa.Column(
            "attempt",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="attempt its verdicts carry; 0 for the first",
        ),
        sa.Column("first_index", sa.Integer(), nullable=False, comment="first sample index"),
        sa.Column("end_index", sa.Integer(), nullable=False, comment="one past the last sample index"),
        sa.Column(
            "state",
            sa.Text(),
            server_default="ready",
            nullable=False,
            comment="ready, leased, done, failed or cancelled",
        ),
        sa.Column(
            "tries", sa.SmallInteger(), server_default="0", nullable=False, comment="how often a worker has taken it"
        ),
        sa.Column("leased_by", sa.Text(), nullable=True, comment="worker that holds it"),
        sa.Column("lease_until", sa.TIMESTAMP(timezone=True), nullable=True, comment="when its lease ends"),
        sa.Column("leased_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when a worker last took it"),
        sa.Column(
            "enqueued_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="when its message was last sent to the queue",
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="why the last try failed"),
        sa.Column("row_count", sa.Integer(), nullable=True, comment="rows written when it was done"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.Column("done_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when its rows were written"),
        sa.CheckConstraint(
            "state IN ('ready', 'leased', 'done', 'failed', 'cancelled')", name=op.f("ck_batches_state")
        ),
        sa.CheckConstraint("0 <= first_index AND first_index < end_index", name=op.f("ck_batches_index_range")),
        sa.ForeignKeyConstraint(["problem_id"], ["store.problems.problem_id"], name=op.f("fk_batches_problem_id")),
        sa.ForeignKeyConstraint(["run_id"], ["store.runs.run_id"], name=op.f("fk_batches_run_id")),
        sa.ForeignKeyConstraint(["verifier_id"], ["store.verifiers.verifier_id"], name=op.f("fk_batches_verifier_id")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_batches")),
        schema="store",
        comment="One unit of work: a problem and an index range to draw or to judge. Its rows are written all at once.",
    )
    op.create_index(
        "ix_batches_open",
        "batches",
        ["run_id", "problem_id"],
        unique=False,
        schema="store",
        postgresql_where=sa.text("state IN ('ready', 'leased')"),
    )
    op.create_index("ix_batches_run_state", "batches", ["run_id", "state"], unique=False, schema="store")
    op.create_table(
        "run_verifiers",
        sa.Column("run_id", sa.Integer(), nullable=False, comment="run"),
        sa.Column("verifier_id", sa.Integer(), nullable=False, comment="verifier"),
        sa.ForeignKeyConstraint(["run_id"], ["store.runs.run_id"], name=op.f("fk_run_verifiers_run_id")),
        sa.ForeignKeyConstraint(
            ["verifier_id"], ["store.verifiers.verifier_id"], name=op.f("fk_run_verifiers_verifier_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "verifier_id", name=op.f("pk_run_verifiers")),
        schema="store",
        comment="Verifiers that judge every new sample of a run.",
    )


def downgrade() -> None:
    op.drop_table("run_verifiers", schema="store")
    op.drop_index("ix_batches_run_state", table_name="batches", schema="store")
    op.drop_index(
        "ix_batches_open",
        table_name="batches",
        schema="store",
        postgresql_where=sa.text("state IN ('ready', 'leased')"),
    )
    op.drop_table("batches", schema="store")
    op.drop_table("runs", schema="store")
    op.drop_table("problems", schema="store")
    op.drop_index(op.f("ix_prices_model_id_valid_from"), table_name="prices", schema="store")
    op.drop_table("prices", schema="store")
    op.drop_table("verifiers", schema="store")
    op.drop_index(
        "ix_verifier_outputs_batch_id", table_name="verifier_outputs", schema="store", postgresql_using="brin"
    )
    op.drop_table("verifier_outputs", schema="store")
    op.drop_index("ix_verdicts_batch_id", table_name="verdicts", schema="store", postgresql_using="brin")
    op.drop_table("verdicts", schema="store")
    op.drop_index("ix_samples_batch_id", table_name="samples", schema="store", postgresql_using="brin")
    op.drop_table("samples", schema="store")
    op.drop_table("models", schema="store")
    op.drop_table("engines", schema="store")
    op.drop_index("ix_completions_batch_id", table_name="completions", schema="store", postgresql_using="brin")
    op.drop_table("completions", schema="store")
    op.drop_table("benchmarks", schema="store")
    op.execute("DROP SCHEMA store")
