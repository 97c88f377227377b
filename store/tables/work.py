"""Units of work, and who does them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.columns import created, identity, key_column, metadata, number, text_column
from store.tables.experiments import problems, runs, verifiers

batches = sa.Table(
    "batches",
    metadata,
    identity("batch_id", "key", sa.BigInteger),
    number("run_id", sa.Integer, "run", sa.ForeignKey(runs.c.run_id)),
    number("problem_id", sa.Integer, "problem", sa.ForeignKey(problems.c.problem_id)),
    number(
        "verifier_id",
        sa.Integer,
        "verifier that judges; null for a batch that draws samples",
        sa.ForeignKey(verifiers.c.verifier_id),
        null=True,
    ),
    number("attempt", sa.SmallInteger, "attempt its verdicts carry; 0 for the first", server_default="0"),
    number("first_index", sa.Integer, "first sample index"),
    number("end_index", sa.Integer, "one past the last sample index"),
    sa.Column(
        "state",
        sa.Text,
        nullable=False,
        server_default="ready",
        comment="ready, leased, done, failed or cancelled",
    ),
    number("tries", sa.SmallInteger, "how often a worker has taken it", server_default="0"),
    text_column("leased_by", "worker that holds it", null=True),
    sa.Column("lease_until", sa.TIMESTAMP(timezone=True), nullable=True, comment="when its lease ends"),
    sa.Column("leased_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when a worker last took it"),
    sa.Column(
        "enqueued_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when its message was last sent to the queue"
    ),
    number("sent_with", sa.BigInteger, "first batch of the message it was last sent with", null=True),
    text_column("error", "why the last try failed", null=True),
    number("row_count", sa.Integer, "rows written when it was done", null=True),
    created(),
    sa.Column("done_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when its rows were written"),
    number("import_id", sa.Integer, "import that brought its rows; null when made here", null=True),
    sa.CheckConstraint("state IN ('ready', 'leased', 'done', 'failed', 'cancelled')", name="state"),
    sa.CheckConstraint("0 <= first_index AND first_index < end_index", name="index_range"),
    sa.Index("ix_batches_open", "run_id", "problem_id", postgresql_where=sa.text("state IN ('ready', 'leased')")),
    sa.Index("ix_batches_run_state", "run_id", "state"),
    sa.Index("ix_batches_ready", "run_id", "verifier_id", "batch_id", postgresql_where=sa.text("state = 'ready'")),
    comment="One unit of work: a problem and an index range to draw or to judge. Its rows are written all at once.",
)

engines = sa.Table(
    "engines",
    metadata,
    identity("engine_id", "key"),
    text_column("engine", "engine, such as vllm"),
    text_column("engine_version", "version of the engine"),
    text_column("model_revision", "hash over the model's weights and configuration, or the hub's commit"),
    text_column("tokenizer_hash", "hash over the tokenizer"),
    text_column("device", "cpu, or the GPU's name"),
    text_column("fingerprint", "sha256 over all of these"),
    created(),
    text_column("chat_template_hash", "hash over the chat template; null where there is none", null=True),
    sa.Column(
        "settings",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="how it was loaded: dtype, quantisation, tensor parallel size, context, adapter",
    ),
    sa.UniqueConstraint("fingerprint"),
    comment="An engine with the model revision it served.",
)

workers = sa.Table(
    "workers",
    metadata,
    identity("worker_id", "key"),
    text_column("name", "host, process and start, as batches name it"),
    text_column("host", "host it runs on"),
    text_column("device", "cpu, or the GPU's name", null=True),
    text_column("queues", "queues it takes from, comma-separated"),
    text_column("version", "version of passatk it runs"),
    sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="when it started"),
    sa.Column("seen_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="last sign of life"),
    sa.Column("stopped_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when it stopped in order"),
    text_column("error", "last thing that went wrong", null=True),
    sa.UniqueConstraint("name"),
    comment="Worker processes, one row each time one starts.",
)

worker_reports = sa.Table(
    "worker_reports",
    metadata,
    key_column("worker_id", "worker"),
    sa.Column("at", sa.TIMESTAMP(timezone=True), primary_key=True, comment="end of the interval reported on"),
    number("seconds", sa.REAL, "length of the interval"),
    number("samples", sa.Integer, "samples written in it"),
    number("tokens", sa.BigInteger, "completion tokens written in it"),
    number("verdicts", sa.Integer, "verdicts written in it"),
    number("failures", sa.Integer, "batches that failed or were given back in it"),
    number("running", sa.Integer, "samples in the engine at its end", null=True),
    number("waiting", sa.Integer, "samples queued in the engine at its end", null=True),
    number("kv_cache_share", sa.REAL, "share of the key-value cache in use at its end", null=True),
    number("memory_bytes", sa.BigInteger, "resident memory at its end", null=True),
    number("batch_id", sa.BigInteger, "a batch it held at its end", null=True),
    sa.Index("ix_worker_reports_at", "at"),
    comment="What workers did lately; old rows are removed by the sweeper.",
)

queue_depths = sa.Table(
    "queue_depths",
    metadata,
    sa.Column("at", sa.TIMESTAMP(timezone=True), primary_key=True, comment="when it was counted"),
    text_column("queue", "verify, or generate. and the model's name", primary_key=True),
    number("waiting", sa.Integer, "batches of open runs that wait"),
    number("in_work", sa.Integer, "batches of open runs that a worker holds"),
    comment="How many batches waited in each queue lately; old rows are removed by the sweeper.",
)

imports = sa.Table(
    "imports",
    metadata,
    identity("import_id", "key"),
    number("run_id", sa.Integer, "run its samples belong to", sa.ForeignKey(runs.c.run_id)),
    text_column("format", "format it was read as"),
    text_column("tool", "tool that made the samples, with version where it says so", null=True),
    text_column("file", "file or folder it was read from"),
    text_column("file_hash", "sha256 over the content"),
    number("records", sa.BigInteger, "records read"),
    sa.Column("options", JSONB, nullable=False, server_default="{}", comment="options of the import"),
    created(),
    sa.UniqueConstraint("run_id", "format", "file_hash"),
    comment="One row per file that brought samples drawn elsewhere.",
)
