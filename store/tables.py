"""The tables of the store. Hot rows (samples, verdicts) are narrow; text lives in tables of its own.

Samples and verdicts carry no foreign keys: they are written only together with the batch they belong to, and a
check per row would halve the writing rate. Everything small is held together by named foreign keys.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "store"

metadata = sa.MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    },
)


def _text(name: str, comment: str, *args: Any, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *args, nullable=null, comment=comment)


def _identity(name: str, comment: str, kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind, sa.Identity(always=True), primary_key=True, comment=comment)


def _number(name: str, kind: Any, comment: str, *args: Any, null: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *args, nullable=null, comment=comment, **options)


def _key(name: str, comment: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=False, comment=comment)


def _created(comment: str = "when the row was written") -> sa.Column[Any]:
    return sa.Column(
        "created_at", sa.TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False, comment=comment
    )


benchmarks = sa.Table(
    "benchmarks",
    metadata,
    _identity("benchmark_id", "key"),
    _text("name", "name people use"),
    _number("version", sa.Integer, "1 for the first content imported under the name, then counted up"),
    _text("content_hash", "sha256 over the problems in order"),
    _text("format", "format it was imported from: jsonl, humaneval or gsm8k"),
    _text("source", "file it was imported from"),
    _number("problem_count", sa.Integer, "number of problems"),
    _created(),
    sa.UniqueConstraint("name", "version"),
    sa.UniqueConstraint("name", "content_hash"),
    sa.CheckConstraint("problem_count > 0", name="problem_count"),
    comment="A named, versioned, content-hashed set of problems.",
)

problems = sa.Table(
    "problems",
    metadata,
    _identity("problem_id", "key"),
    _number("benchmark_id", sa.Integer, "benchmark it belongs to", sa.ForeignKey(benchmarks.c.benchmark_id)),
    _number("position", sa.Integer, "0-based place in the benchmark"),
    _text("key", "the benchmark's own name for the problem"),
    _text("prompt", "text given to the model"),
    _text("reference_answer", "known right answer, where there is one", null=True),
    _text("tests", "program text of the tests, where there are any", null=True),
    _text("entry_point", "function the tests call", null=True),
    sa.Column("metadata", JSONB, nullable=False, server_default="{}", comment="anything else the source said"),
    sa.UniqueConstraint("benchmark_id", "key"),
    sa.UniqueConstraint("benchmark_id", "position"),
    comment="One problem of a benchmark (SWE-bench calls it an issue).",
)

models = sa.Table(
    "models",
    metadata,
    _identity("model_id", "key"),
    _text("name", "name people use"),
    _text("location", "folder or hub name the engine loads"),
    _text("backend", "engine that serves it: vllm, openai, or none for samples drawn elsewhere"),
    sa.Column("options", JSONB, nullable=False, server_default="{}", comment="options handed to the engine"),
    _created(),
    sa.UniqueConstraint("name"),
    comment="A language model.",
)

prices = sa.Table(
    "prices",
    metadata,
    _identity("price_id", "key; of two prices for one model and date the later key counts"),
    _number("model_id", sa.Integer, "model", sa.ForeignKey(models.c.model_id)),
    sa.Column("valid_from", sa.Date, nullable=False, comment="first day of the price"),
    _number("input_usd_per_mtok", sa.Numeric, "US$ per million prompt tokens"),
    _number("cached_input_usd_per_mtok", sa.Numeric, "US$ per million cached prompt tokens; null: as input", null=True),
    _number("output_usd_per_mtok", sa.Numeric, "US$ per million completion tokens"),
    _number("gpu_hour_usd", sa.Numeric, "US$ per GPU hour, where the model is paid by time", null=True),
    _created(),
    sa.CheckConstraint(
        "input_usd_per_mtok >= 0 AND output_usd_per_mtok >= 0 AND coalesce(cached_input_usd_per_mtok, 0) >= 0 "
        "AND coalesce(gpu_hour_usd, 0) >= 0",
        name="not_negative",
    ),
    sa.Index(None, "model_id", "valid_from"),
    comment="Versioned price sheet; never updated, so that stored samples can be priced again.",
)

verifiers = sa.Table(
    "verifiers",
    metadata,
    _identity("verifier_id", "key"),
    _text("name", "what judges: answer, chain, unit-tests, imported:TOOL, ..."),
    _text("version", "version of its code"),
    sa.Column("options", JSONB, nullable=False, server_default="{}", comment="limits and options that change verdicts"),
    _text("fingerprint", "sha256 over name, version and options"),
    _created(),
    sa.UniqueConstraint("fingerprint"),
    comment="What judges a sample: name, version and options.",
)

runs = sa.Table(
    "runs",
    metadata,
    _identity("run_id", "key"),
    _text("name", "name people use"),
    _number("benchmark_id", sa.Integer, "benchmark", sa.ForeignKey(benchmarks.c.benchmark_id)),
    _number("model_id", sa.Integer, "model", sa.ForeignKey(models.c.model_id)),
    _number(
        "reference_verifier_id",
        sa.Integer,
        "verifier taken as ground truth for coverage",
        sa.ForeignKey(verifiers.c.verifier_id),
        null=True,
    ),
    _number(
        "samples_per_problem", sa.Integer, "samples wanted for each problem; null when others drew them", null=True
    ),
    _text("prompt_template", "what the model is given; {prompt} stands for the problem's prompt"),
    sa.Column("sampling", JSONB, nullable=False, comment="temperature, top_p, top_k, max_tokens, stop, seed"),
    _text("design", "sampling design: fixed_n, or unknown for samples drawn elsewhere"),
    _text("source", "generated here, or imported"),
    sa.Column("provenance", JSONB, nullable=False, server_default="{}", comment="of an import: file, hash, cutting"),
    _text("fingerprint", "sha256 over everything that changes a sample"),
    sa.Column("state", sa.Text, nullable=False, server_default="open", comment="open, paused or cancelled"),
    _created(),
    sa.UniqueConstraint("name"),
    sa.CheckConstraint("samples_per_problem > 0", name="samples_per_problem"),
    sa.CheckConstraint("source IN ('generated', 'imported')", name="source"),
    sa.CheckConstraint("state IN ('open', 'paused', 'cancelled')", name="state"),
    comment="One model, prompt template, sampling parameters and stopping rule over a benchmark.",
)

run_verifiers = sa.Table(
    "run_verifiers",
    metadata,
    sa.Column("run_id", sa.Integer, sa.ForeignKey(runs.c.run_id), primary_key=True, comment="run"),
    sa.Column("verifier_id", sa.Integer, sa.ForeignKey(verifiers.c.verifier_id), primary_key=True, comment="verifier"),
    comment="Verifiers that judge every new sample of a run.",
)

batches = sa.Table(
    "batches",
    metadata,
    _identity("batch_id", "key", sa.BigInteger),
    _number("run_id", sa.Integer, "run", sa.ForeignKey(runs.c.run_id)),
    _number("problem_id", sa.Integer, "problem", sa.ForeignKey(problems.c.problem_id)),
    _number(
        "verifier_id",
        sa.Integer,
        "verifier that judges; null for a batch that draws samples",
        sa.ForeignKey(verifiers.c.verifier_id),
        null=True,
    ),
    _number("attempt", sa.SmallInteger, "attempt its verdicts carry; 0 for the first", server_default="0"),
    _number("first_index", sa.Integer, "first sample index"),
    _number("end_index", sa.Integer, "one past the last sample index"),
    sa.Column(
        "state",
        sa.Text,
        nullable=False,
        server_default="ready",
        comment="ready, leased, done, failed or cancelled",
    ),
    _number("tries", sa.SmallInteger, "how often a worker has taken it", server_default="0"),
    _text("leased_by", "worker that holds it", null=True),
    sa.Column("lease_until", sa.TIMESTAMP(timezone=True), nullable=True, comment="when its lease ends"),
    sa.Column("leased_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when a worker last took it"),
    sa.Column(
        "enqueued_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when its message was last sent to the queue"
    ),
    _text("error", "why the last try failed", null=True),
    _number("row_count", sa.Integer, "rows written when it was done", null=True),
    _created(),
    sa.Column("done_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when its rows were written"),
    sa.CheckConstraint("state IN ('ready', 'leased', 'done', 'failed', 'cancelled')", name="state"),
    sa.CheckConstraint("0 <= first_index AND first_index < end_index", name="index_range"),
    sa.Index("ix_batches_open", "run_id", "problem_id", postgresql_where=sa.text("state IN ('ready', 'leased')")),
    sa.Index("ix_batches_run_state", "run_id", "state"),
    comment="One unit of work: a problem and an index range to draw or to judge. Its rows are written all at once.",
)

engines = sa.Table(
    "engines",
    metadata,
    _identity("engine_id", "key"),
    _text("engine", "engine, such as vllm"),
    _text("engine_version", "version of the engine"),
    _text("model_revision", "hash over the model's weights and configuration, or the hub's commit"),
    _text("tokenizer_hash", "hash over the tokenizer"),
    _text("device", "cpu, or the GPU's name"),
    _text("fingerprint", "sha256 over all of these"),
    _created(),
    sa.UniqueConstraint("fingerprint"),
    comment="An engine with the model revision it served.",
)

_SAMPLE_KEY = ("run", "problem", "0-based index of the sample in its run and problem")


def _sample_key() -> list[sa.Column[int]]:
    run, problem, index = _SAMPLE_KEY
    return [_key("run_id", run), _key("problem_id", problem), _key("sample_index", index)]


samples = sa.Table(
    "samples",
    metadata,
    *_sample_key(),
    _number("batch_id", sa.BigInteger, "batch that wrote it"),
    _number("engine_id", sa.Integer, "engine that drew it; null when drawn elsewhere", null=True),
    _number("seed", sa.BigInteger, "seed it was drawn with; null when drawn elsewhere", null=True),
    _number("request_samples", sa.Integer, "samples that shared its request, and so its prompt", null=True),
    _number("prompt_tokens", sa.Integer, "tokens of the prompt; null when unknown", null=True),
    _number("cached_prompt_tokens", sa.Integer, "of them from the prefix cache", null=True),
    _number("completion_tokens", sa.Integer, "tokens of the completion; null when unknown", null=True),
    _text("finish_reason", "stop, length or abort; null when unknown", null=True),
    _number("cumulative_logprob", sa.REAL, "natural log-probability of the completion", null=True),
    _number("latency_seconds", sa.REAL, "seconds from asking to the last token", null=True),
    _number("completion_hash", sa.BigInteger, "64-bit hash of the completion; equal texts have equal hashes"),
    _created(),
    sa.Index("ix_samples_batch_id", "batch_id", postgresql_using="brin"),
    comment="One generation for one problem in one run. Append-only.",
)

completions = sa.Table(
    "completions",
    metadata,
    *_sample_key(),
    _number("batch_id", sa.BigInteger, "batch that wrote it"),
    _text("completion", "text of the sample"),
    sa.Index("ix_completions_batch_id", "batch_id", postgresql_using="brin"),
    comment="The text of each sample, apart from the narrow rows that are scanned.",
)


def _verdict_key() -> list[sa.Column[int]]:
    return [
        *_sample_key(),
        _key("verifier_id", "verifier"),
        sa.Column(
            "attempt", sa.SmallInteger, primary_key=True, autoincrement=False, comment="0 for the first judgement"
        ),
    ]


verdicts = sa.Table(
    "verdicts",
    metadata,
    *_verdict_key(),
    _number("batch_id", sa.BigInteger, "batch that wrote it"),
    _text("outcome", "correct, incorrect, or undecided when the verifier or its host broke"),
    _text("reason", "why it is not correct", null=True),
    _text("answer", "normalised final answer taken from the completion", null=True),
    _number("score", sa.REAL, "number given by a scoring verifier", null=True),
    _number("seconds", sa.REAL, "seconds the judgement took"),
    _created(),
    sa.CheckConstraint("outcome IN ('correct', 'incorrect', 'undecided')", name="outcome"),
    sa.Index("ix_verdicts_batch_id", "batch_id", postgresql_using="brin"),
    comment="One judgement of one sample by one verifier. Append-only: judging again adds rows.",
)

verifier_outputs = sa.Table(
    "verifier_outputs",
    metadata,
    *_verdict_key(),
    _number("batch_id", sa.BigInteger, "batch that wrote it"),
    sa.Column("detail", JSONB, nullable=False, comment="failing test, expected and got, stderr tail, limits, sandbox"),
    sa.Index("ix_verifier_outputs_batch_id", "batch_id", postgresql_using="brin"),
    comment="What a verifier said beside its verdict, apart from the narrow rows that are scanned.",
)
