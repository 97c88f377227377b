"""what workers, importers and judges keep"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NOT_NEGATIVE = (
    "coalesce(pilot_samples, 0) >= 0 AND coalesce(budget_samples, 0) >= 0 AND coalesce(budget_usd, 0) >= 0 "
    "AND coalesce(budget_gpu_hours, 0) >= 0"
)


def upgrade() -> None:
    op.create_table(
        "answer_classes",
        sa.Column("problem_id", sa.Integer(), autoincrement=False, nullable=False, comment="problem"),
        sa.Column(
            "verifier_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="verifier whose parser and equivalence it is",
        ),
        sa.Column("answer", sa.Text(), nullable=False, comment="normalised answer"),
        sa.Column("answer_class", sa.Text(), nullable=False, comment="first answer seen that is equivalent to it"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.PrimaryKeyConstraint("problem_id", "verifier_id", "answer", name=op.f("pk_answer_classes")),
        schema="store",
        comment="Which normalised answers are equivalent, decided once per parser version, so that votes agree.",
    )
    op.create_table(
        "environments",
        sa.Column("environment_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column(
            "tier",
            sa.Text(),
            nullable=False,
            comment="sandbox tier: bwrap, landlock, ..., none without a sandbox, or host where no program is run",
        ),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="versions of interpreter, kernel, tools and libraries",
        ),
        sa.Column("digest", sa.Text(), nullable=False, comment="sha256 over tier and detail"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.PrimaryKeyConstraint("environment_id", name=op.f("pk_environments")),
        sa.UniqueConstraint("digest", name=op.f("uq_environments_digest")),
        schema="store",
        comment="Where verdicts were made. Every verdict made here names one.",
    )
    op.create_table(
        "preferences",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="run"),
        sa.Column("problem_id", sa.Integer(), autoincrement=False, nullable=False, comment="problem"),
        sa.Column("first_index", sa.Integer(), autoincrement=False, nullable=False, comment="sample shown first"),
        sa.Column("second_index", sa.Integer(), autoincrement=False, nullable=False, comment="sample shown second"),
        sa.Column("verifier_id", sa.Integer(), autoincrement=False, nullable=False, comment="judge"),
        sa.Column(
            "attempt", sa.SmallInteger(), autoincrement=False, nullable=False, comment="0 for the first judgement"
        ),
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="batch that wrote it"),
        sa.Column("winner", sa.Text(), nullable=False, comment="first, second, tie, or undecided when the judge broke"),
        sa.Column("seconds", sa.REAL(), nullable=False, comment="seconds the judgement took"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.CheckConstraint("winner IN ('first', 'second', 'tie', 'undecided')", name=op.f("ck_preferences_winner")),
        sa.PrimaryKeyConstraint(
            "run_id", "problem_id", "first_index", "second_index", "verifier_id", "attempt", name=op.f("pk_preferences")
        ),
        schema="store",
        comment="Pairwise judgements. A swapped pair is a row of its own, so that position bias shows.",
    )
    op.create_index(
        "ix_preferences_batch_id", "preferences", ["batch_id"], unique=False, schema="store", postgresql_using="brin"
    )
    op.create_table(
        "prompts",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False, comment="run"),
        sa.Column("problem_id", sa.Integer(), autoincrement=False, nullable=False, comment="problem"),
        sa.Column("prompt_hash", sa.BigInteger(), nullable=False, comment="64-bit hash of the rendered prompt"),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True, comment="its length in tokens; null when unknown"),
        sa.Column(
            "prompt", sa.Text(), nullable=False, comment="what the model was given, chat template and examples included"
        ),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.PrimaryKeyConstraint("run_id", "problem_id", name=op.f("pk_prompts")),
        schema="store",
        comment="The rendered prompt of each problem in a run, written with its first sample.",
    )
    op.create_table(
        "sample_logprobs",
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
        sa.Column("token_ids", sa.ARRAY(sa.Integer()), nullable=False, comment="tokens of the completion, in order"),
        sa.Column("logprobs", sa.ARRAY(sa.REAL()), nullable=False, comment="natural log-probability of each"),
        sa.PrimaryKeyConstraint("run_id", "problem_id", "sample_index", name=op.f("pk_sample_logprobs")),
        schema="store",
        comment="Log-probabilities of each token, where the run asks for them.",
    )
    op.create_index(
        "ix_sample_logprobs_batch_id",
        "sample_logprobs",
        ["batch_id"],
        unique=False,
        schema="store",
        postgresql_using="brin",
    )
    op.create_table(
        "sample_sources",
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
        sa.Column("import_id", sa.Integer(), nullable=False, comment="import that brought it"),
        sa.Column("locator", sa.Text(), nullable=False, comment="where in the file: line, record, entry"),
        sa.PrimaryKeyConstraint("run_id", "problem_id", "sample_index", name=op.f("pk_sample_sources")),
        schema="store",
        comment="Which record of which file a sample drawn elsewhere came from.",
    )
    op.create_index(
        "ix_sample_sources_batch_id",
        "sample_sources",
        ["batch_id"],
        unique=False,
        schema="store",
        postgresql_using="brin",
    )
    op.create_table(
        "step_scores",
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
        sa.Column("scores", sa.ARRAY(sa.REAL()), nullable=False, comment="score of each step, in order"),
        sa.PrimaryKeyConstraint(
            "run_id", "problem_id", "sample_index", "verifier_id", "attempt", name=op.f("pk_step_scores")
        ),
        schema="store",
        comment="Scores of a process reward model; how they are put together is chosen at analysis time.",
    )
    op.create_index(
        "ix_step_scores_batch_id", "step_scores", ["batch_id"], unique=False, schema="store", postgresql_using="brin"
    )
    op.create_table(
        "test_outcomes",
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
        sa.Column("test_id", sa.Integer(), autoincrement=False, nullable=False, comment="generated test"),
        sa.Column("batch_id", sa.BigInteger(), nullable=False, comment="batch that wrote it"),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=False,
            comment="correct when the candidate passes the test, incorrect, or undecided",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it does not pass"),
        sa.CheckConstraint("outcome IN ('correct', 'incorrect', 'undecided')", name=op.f("ck_test_outcomes_outcome")),
        sa.PrimaryKeyConstraint(
            "run_id", "problem_id", "sample_index", "verifier_id", "attempt", "test_id", name=op.f("pk_test_outcomes")
        ),
        schema="store",
        comment="The matrix of candidates and generated tests: one row per sample and test.",
    )
    op.create_index(
        "ix_test_outcomes_batch_id",
        "test_outcomes",
        ["batch_id"],
        unique=False,
        schema="store",
        postgresql_using="brin",
    )
    op.create_table(
        "verdict_costs",
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
        sa.Column("model_id", sa.Integer(), nullable=True, comment="model that judged, whose price counts"),
        sa.Column("requests", sa.SmallInteger(), server_default="1", nullable=False, comment="requests it took"),
        sa.Column("prompt_tokens", sa.Integer(), nullable=True, comment="tokens of the prompts"),
        sa.Column("cached_prompt_tokens", sa.Integer(), nullable=True, comment="of them from a cache"),
        sa.Column("completion_tokens", sa.Integer(), nullable=True, comment="tokens of the answers"),
        sa.Column("reasoning_tokens", sa.Integer(), nullable=True, comment="of them hidden reasoning"),
        sa.Column("gpu_seconds", sa.REAL(), nullable=True, comment="device seconds it took"),
        sa.PrimaryKeyConstraint(
            "run_id", "problem_id", "sample_index", "verifier_id", "attempt", name=op.f("pk_verdict_costs")
        ),
        schema="store",
        comment="What a judgement by a model cost, in tokens and device time.",
    )
    op.create_index(
        "ix_verdict_costs_batch_id",
        "verdict_costs",
        ["batch_id"],
        unique=False,
        schema="store",
        postgresql_using="brin",
    )
    op.create_table(
        "worker_reports",
        sa.Column("worker_id", sa.Integer(), autoincrement=False, nullable=False, comment="worker"),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False, comment="end of the interval reported on"),
        sa.Column("seconds", sa.REAL(), nullable=False, comment="length of the interval"),
        sa.Column("samples", sa.Integer(), nullable=False, comment="samples written in it"),
        sa.Column("tokens", sa.BigInteger(), nullable=False, comment="completion tokens written in it"),
        sa.Column("verdicts", sa.Integer(), nullable=False, comment="verdicts written in it"),
        sa.Column("failures", sa.Integer(), nullable=False, comment="batches that failed or were given back in it"),
        sa.Column("running", sa.Integer(), nullable=True, comment="samples in the engine at its end"),
        sa.Column("waiting", sa.Integer(), nullable=True, comment="samples queued in the engine at its end"),
        sa.Column("kv_cache_share", sa.REAL(), nullable=True, comment="share of the key-value cache in use at its end"),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=True, comment="resident memory at its end"),
        sa.Column("batch_id", sa.BigInteger(), nullable=True, comment="a batch it held at its end"),
        sa.PrimaryKeyConstraint("worker_id", "at", name=op.f("pk_worker_reports")),
        schema="store",
        comment="What workers did lately; old rows are removed by the sweeper.",
    )
    op.create_index("ix_worker_reports_at", "worker_reports", ["at"], unique=False, schema="store")
    op.create_table(
        "workers",
        sa.Column("worker_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("name", sa.Text(), nullable=False, comment="host, process and start, as batches name it"),
        sa.Column("host", sa.Text(), nullable=False, comment="host it runs on"),
        sa.Column("device", sa.Text(), nullable=True, comment="cpu, or the GPU's name"),
        sa.Column("queues", sa.Text(), nullable=False, comment="queues it takes from, comma-separated"),
        sa.Column("version", sa.Text(), nullable=False, comment="version of passatk it runs"),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="when it started"),
        sa.Column("seen_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="last sign of life"),
        sa.Column("stopped_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when it stopped in order"),
        sa.Column("error", sa.Text(), nullable=True, comment="last thing that went wrong"),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_workers")),
        sa.UniqueConstraint("name", name=op.f("uq_workers_name")),
        schema="store",
        comment="Worker processes, one row each time one starts.",
    )
    op.create_table(
        "generated_tests",
        sa.Column("test_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("problem_id", sa.Integer(), nullable=False, comment="problem"),
        sa.Column(
            "suite", sa.Text(), nullable=False, comment="name of the set it came with, such as the model that wrote it"
        ),
        sa.Column("position", sa.Integer(), nullable=False, comment="0-based place in the suite for its problem"),
        sa.Column("code", sa.Text(), nullable=False, comment="program text, or the input of a stdin test"),
        sa.Column("expected", sa.Text(), nullable=True, comment="expected output of a stdin test"),
        sa.ForeignKeyConstraint(
            ["problem_id"], ["store.problems.problem_id"], name=op.f("fk_generated_tests_problem_id")
        ),
        sa.PrimaryKeyConstraint("test_id", name=op.f("pk_generated_tests")),
        sa.UniqueConstraint(
            "problem_id", "suite", "position", name=op.f("uq_generated_tests_problem_id_suite_position")
        ),
        schema="store",
        comment="Tests that a model wrote for a problem.",
    )
    op.create_table(
        "imports",
        sa.Column("import_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("run_id", sa.Integer(), nullable=False, comment="run its samples belong to"),
        sa.Column("format", sa.Text(), nullable=False, comment="format it was read as"),
        sa.Column(
            "tool", sa.Text(), nullable=True, comment="tool that made the samples, with version where it says so"
        ),
        sa.Column("file", sa.Text(), nullable=False, comment="file or folder it was read from"),
        sa.Column("file_hash", sa.Text(), nullable=False, comment="sha256 over the content"),
        sa.Column("records", sa.BigInteger(), nullable=False, comment="records read"),
        sa.Column(
            "options",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="options of the import",
        ),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["store.runs.run_id"], name=op.f("fk_imports_run_id")),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_imports")),
        sa.UniqueConstraint("run_id", "format", "file_hash", name=op.f("uq_imports_run_id_format_file_hash")),
        schema="store",
        comment="One row per file that brought samples drawn elsewhere.",
    )
    op.create_table(
        "quarantines",
        sa.Column("quarantine_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("problem_id", sa.Integer(), nullable=False, comment="problem"),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=False,
            comment="why: its reference fails, its tests are flaky, its answer is wrong",
        ),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.Column(
            "lifted_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when it was lifted; null while it holds"
        ),
        sa.ForeignKeyConstraint(["problem_id"], ["store.problems.problem_id"], name=op.f("fk_quarantines_problem_id")),
        sa.PrimaryKeyConstraint("quarantine_id", name=op.f("pk_quarantines")),
        schema="store",
        comment="Problems set aside; every curve can be taken with or without them.",
    )
    op.create_index(
        op.f("ix_quarantines_problem_id"),
        "quarantines",
        ["problem_id"],
        unique=True,
        schema="store",
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_table(
        "stage_costs",
        sa.Column("stage_cost_id", sa.Integer(), sa.Identity(always=True), nullable=False, comment="key"),
        sa.Column("run_id", sa.Integer(), nullable=False, comment="run"),
        sa.Column(
            "stage", sa.Text(), nullable=False, comment="stage of the pipeline: context, tests, edits, selection, ..."
        ),
        sa.Column("problem_id", sa.Integer(), nullable=True, comment="problem; null for a cost all problems share"),
        sa.Column("model_id", sa.Integer(), nullable=True, comment="model whose price counts"),
        sa.Column("requests", sa.BigInteger(), nullable=True, comment="requests"),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True, comment="uncached prompt tokens"),
        sa.Column("cached_input_tokens", sa.BigInteger(), nullable=True, comment="prompt tokens read from a cache"),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=True, comment="prompt tokens written to a cache"),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True, comment="completion tokens without reasoning"),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=True, comment="reasoning tokens"),
        sa.Column("gpu_seconds", sa.Double(), nullable=True, comment="device seconds"),
        sa.Column("usd", sa.Numeric(), nullable=True, comment="US$, where the bill is known and not its tokens"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was written",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["store.runs.run_id"], name=op.f("fk_stage_costs_run_id")),
        sa.PrimaryKeyConstraint("stage_cost_id", name=op.f("pk_stage_costs")),
        schema="store",
        comment="Costs that belong to no single sample: stages of a pipeline, shared context, machines.",
    )
    op.create_index(
        op.f("ix_stage_costs_run_id_stage"), "stage_costs", ["run_id", "stage"], unique=False, schema="store"
    )
    op.add_column(
        "batches",
        sa.Column(
            "import_id", sa.Integer(), nullable=True, comment="import that brought its rows; null when made here"
        ),
        schema="store",
    )
    op.add_column(
        "engines",
        sa.Column(
            "chat_template_hash",
            sa.Text(),
            nullable=True,
            comment="hash over the chat template; null where there is none",
        ),
        schema="store",
    )
    op.add_column(
        "engines",
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="how it was loaded: dtype, quantisation, tensor parallel size, context, adapter",
        ),
        schema="store",
    )
    op.add_column(
        "prices",
        sa.Column(
            "cache_write_usd_per_mtok",
            sa.Numeric(),
            nullable=True,
            comment="US$ per million prompt tokens written to a cache; null: as input",
        ),
        schema="store",
    )
    op.add_column(
        "prices",
        sa.Column(
            "reasoning_usd_per_mtok",
            sa.Numeric(),
            nullable=True,
            comment="US$ per million reasoning tokens; null: as output",
        ),
        schema="store",
    )
    op.add_column(
        "prices",
        sa.Column("request_usd", sa.Numeric(), nullable=True, comment="US$ per request, beside its tokens"),
        schema="store",
    )
    op.add_column(
        "prices", sa.Column("source", sa.Text(), nullable=True, comment="where the price was read"), schema="store"
    )
    op.add_column(
        "run_verifiers",
        sa.Column(
            "repeats",
            sa.SmallInteger(),
            server_default="1",
            nullable=False,
            comment="attempts each sample is judged in; the majority counts",
        ),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column(
            "stopping",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default='{"rule": "fixed"}',
            nullable=False,
            comment="stopping rule and its parameters: fixed, first-correct, batch-first-correct, budget-usd or adaptive",
        ),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column(
            "pilot_samples",
            sa.Integer(),
            nullable=True,
            comment="samples drawn for every problem whatever the verdicts say",
        ),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column("budget_samples", sa.BigInteger(), nullable=True, comment="most samples the run may draw in all"),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column("budget_usd", sa.Numeric(), nullable=True, comment="most US$ the run may spend"),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column("budget_gpu_hours", sa.Numeric(), nullable=True, comment="most GPU hours the run may take"),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column(
            "priority",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="higher is worked off first; 0 is usual",
        ),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column("system_prompt", sa.Text(), nullable=True, comment="system message of a chat model"),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column("adapter", sa.Text(), nullable=True, comment="LoRA adapter the model is served with"),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column(
            "prompting",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="how prompts are made: chat template or plain, few-shot examples and their seed, preset",
        ),
        schema="store",
    )
    op.add_column(
        "runs",
        sa.Column(
            "tags",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
            comment="words people file the run under",
        ),
        schema="store",
    )
    op.alter_column(
        "runs",
        "design",
        existing_type=sa.TEXT(),
        comment="sampling design: fixed_n, until_success, batch_until_success, adaptive, or unknown when drawn elsewhere",
        existing_comment="sampling design: fixed_n, or unknown for samples drawn elsewhere",
        existing_nullable=False,
        schema="store",
    )
    op.add_column(
        "samples",
        sa.Column(
            "cache_write_tokens",
            sa.Integer(),
            nullable=True,
            comment="prompt tokens written to a paid cache; null when unknown",
        ),
        schema="store",
    )
    op.add_column(
        "samples",
        sa.Column(
            "reasoning_tokens",
            sa.Integer(),
            nullable=True,
            comment="of the completion tokens, those of hidden reasoning; null: none",
        ),
        schema="store",
    )
    op.add_column(
        "samples",
        sa.Column("queue_seconds", sa.REAL(), nullable=True, comment="seconds its request waited in the engine"),
        schema="store",
    )
    op.add_column(
        "samples",
        sa.Column("prefill_seconds", sa.REAL(), nullable=True, comment="seconds from scheduling to the first token"),
        schema="store",
    )
    op.add_column(
        "samples",
        sa.Column("decode_seconds", sa.REAL(), nullable=True, comment="seconds from the first token to the last"),
        schema="store",
    )
    op.add_column(
        "samples",
        sa.Column(
            "gpu_seconds",
            sa.REAL(),
            nullable=True,
            comment="its share of the engine's device time, in seconds times devices",
        ),
        schema="store",
    )
    op.add_column(
        "samples", sa.Column("worker_id", sa.Integer(), nullable=True, comment="worker that drew it"), schema="store"
    )
    op.add_column(
        "verdicts",
        sa.Column(
            "answer_class",
            sa.Text(),
            nullable=True,
            comment="answer that stands for all equivalent ones; null: the answer itself",
        ),
        schema="store",
    )
    op.add_column(
        "verdicts",
        sa.Column(
            "environment_id",
            sa.Integer(),
            nullable=True,
            comment="where it was judged: sandbox tier, interpreter, host kind",
        ),
        schema="store",
    )
    op.add_column(
        "verdicts",
        sa.Column(
            "weak", sa.Boolean(), nullable=True, comment="true when the tests had to share the candidate's process"
        ),
        schema="store",
    )
    op.create_check_constraint(op.f("ck_runs_not_negative"), "runs", NOT_NEGATIVE, schema="store")
    op.create_check_constraint(op.f("ck_run_verifiers_repeats"), "run_verifiers", "repeats > 0", schema="store")


def downgrade() -> None:
    op.drop_column("verdicts", "weak", schema="store")
    op.drop_column("verdicts", "environment_id", schema="store")
    op.drop_column("verdicts", "answer_class", schema="store")
    op.drop_column("samples", "worker_id", schema="store")
    op.drop_column("samples", "gpu_seconds", schema="store")
    op.drop_column("samples", "decode_seconds", schema="store")
    op.drop_column("samples", "prefill_seconds", schema="store")
    op.drop_column("samples", "queue_seconds", schema="store")
    op.drop_column("samples", "reasoning_tokens", schema="store")
    op.drop_column("samples", "cache_write_tokens", schema="store")
    op.alter_column(
        "runs",
        "design",
        existing_type=sa.TEXT(),
        comment="sampling design: fixed_n, or unknown for samples drawn elsewhere",
        existing_comment="sampling design: fixed_n, until_success, batch_until_success, adaptive, or unknown when drawn elsewhere",
        existing_nullable=False,
        schema="store",
    )
    op.drop_column("runs", "tags", schema="store")
    op.drop_column("runs", "prompting", schema="store")
    op.drop_column("runs", "adapter", schema="store")
    op.drop_column("runs", "system_prompt", schema="store")
    op.drop_column("runs", "priority", schema="store")
    op.drop_column("runs", "budget_gpu_hours", schema="store")
    op.drop_column("runs", "budget_usd", schema="store")
    op.drop_column("runs", "budget_samples", schema="store")
    op.drop_column("runs", "pilot_samples", schema="store")
    op.drop_column("runs", "stopping", schema="store")
    op.drop_column("run_verifiers", "repeats", schema="store")
    op.drop_column("prices", "source", schema="store")
    op.drop_column("prices", "request_usd", schema="store")
    op.drop_column("prices", "reasoning_usd_per_mtok", schema="store")
    op.drop_column("prices", "cache_write_usd_per_mtok", schema="store")
    op.drop_column("engines", "settings", schema="store")
    op.drop_column("engines", "chat_template_hash", schema="store")
    op.drop_column("batches", "import_id", schema="store")
    op.drop_index(op.f("ix_stage_costs_run_id_stage"), table_name="stage_costs", schema="store")
    op.drop_table("stage_costs", schema="store")
    op.drop_index(
        op.f("ix_quarantines_problem_id"),
        table_name="quarantines",
        schema="store",
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.drop_table("quarantines", schema="store")
    op.drop_table("imports", schema="store")
    op.drop_table("generated_tests", schema="store")
    op.drop_table("workers", schema="store")
    op.drop_index("ix_worker_reports_at", table_name="worker_reports", schema="store")
    op.drop_table("worker_reports", schema="store")
    op.drop_index("ix_verdict_costs_batch_id", table_name="verdict_costs", schema="store", postgresql_using="brin")
    op.drop_table("verdict_costs", schema="store")
    op.drop_index("ix_test_outcomes_batch_id", table_name="test_outcomes", schema="store", postgresql_using="brin")
    op.drop_table("test_outcomes", schema="store")
    op.drop_index("ix_step_scores_batch_id", table_name="step_scores", schema="store", postgresql_using="brin")
    op.drop_table("step_scores", schema="store")
    op.drop_index("ix_sample_sources_batch_id", table_name="sample_sources", schema="store", postgresql_using="brin")
    op.drop_table("sample_sources", schema="store")
    op.drop_index("ix_sample_logprobs_batch_id", table_name="sample_logprobs", schema="store", postgresql_using="brin")
    op.drop_table("sample_logprobs", schema="store")
    op.drop_table("prompts", schema="store")
    op.drop_index("ix_preferences_batch_id", table_name="preferences", schema="store", postgresql_using="brin")
    op.drop_table("preferences", schema="store")
    op.drop_table("environments", schema="store")
    op.drop_table("answer_classes", schema="store")
