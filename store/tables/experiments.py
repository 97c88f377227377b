"""Small tables: what is asked of which model under which rules, and what it costs."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.columns import created, identity, metadata, number, text_column

benchmarks = sa.Table(
    "benchmarks",
    metadata,
    identity("benchmark_id", "key"),
    text_column("name", "name people use"),
    number("version", sa.Integer, "1 for the first content imported under the name, then counted up"),
    text_column("content_hash", "sha256 over the problems in order"),
    text_column("format", "format it was imported from: jsonl, humaneval or gsm8k"),
    text_column("source", "file it was imported from"),
    number("problem_count", sa.Integer, "number of problems"),
    created(),
    sa.UniqueConstraint("name", "version"),
    sa.UniqueConstraint("name", "content_hash"),
    sa.CheckConstraint("problem_count > 0", name="problem_count"),
    comment="A named, versioned, content-hashed set of problems.",
)

problems = sa.Table(
    "problems",
    metadata,
    identity("problem_id", "key"),
    number("benchmark_id", sa.Integer, "benchmark it belongs to", sa.ForeignKey(benchmarks.c.benchmark_id)),
    number("position", sa.Integer, "0-based place in the benchmark"),
    text_column("key", "the benchmark's own name for the problem"),
    text_column("prompt", "text given to the model"),
    text_column("reference_answer", "known right answer, where there is one", null=True),
    text_column("tests", "program text of the tests, where there are any", null=True),
    text_column("entry_point", "function the tests call", null=True),
    sa.Column("metadata", JSONB, nullable=False, server_default="{}", comment="anything else the source said"),
    sa.Column(
        "tags",
        JSONB,
        nullable=False,
        server_default="[]",
        comment="words its benchmark files it under: subject, level, repository",
    ),
    sa.UniqueConstraint("benchmark_id", "key"),
    sa.UniqueConstraint("benchmark_id", "position"),
    comment="One problem of a benchmark (SWE-bench calls it an issue).",
)

models = sa.Table(
    "models",
    metadata,
    identity("model_id", "key"),
    text_column("name", "name people use"),
    text_column("location", "folder or hub name the engine loads"),
    text_column("backend", "engine that serves it: vllm, openai, or none for samples drawn elsewhere"),
    sa.Column("options", JSONB, nullable=False, server_default="{}", comment="options handed to the engine"),
    created(),
    sa.UniqueConstraint("name"),
    comment="A language model.",
)

prices = sa.Table(
    "prices",
    metadata,
    identity("price_id", "key; of two prices for one model and date the later key counts"),
    number("model_id", sa.Integer, "model", sa.ForeignKey(models.c.model_id)),
    sa.Column("valid_from", sa.Date, nullable=False, comment="first day of the price"),
    number("input_usd_per_mtok", sa.Numeric, "US$ per million prompt tokens"),
    number("cached_input_usd_per_mtok", sa.Numeric, "US$ per million cached prompt tokens; null: as input", null=True),
    number("output_usd_per_mtok", sa.Numeric, "US$ per million completion tokens"),
    number("gpu_hour_usd", sa.Numeric, "US$ per GPU hour, where the model is paid by time", null=True),
    created(),
    number(
        "cache_write_usd_per_mtok",
        sa.Numeric,
        "US$ per million prompt tokens written to a cache; null: as input",
        null=True,
    ),
    number("reasoning_usd_per_mtok", sa.Numeric, "US$ per million reasoning tokens; null: as output", null=True),
    number("request_usd", sa.Numeric, "US$ per request, beside its tokens", null=True),
    text_column("source", "where the price was read", null=True),
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
    identity("verifier_id", "key"),
    text_column("name", "what judges: answer, chain, unit-tests, imported:TOOL, ..."),
    text_column("version", "version of its code"),
    sa.Column("options", JSONB, nullable=False, server_default="{}", comment="limits and options that change verdicts"),
    text_column("fingerprint", "sha256 over name, version and options"),
    created(),
    sa.UniqueConstraint("fingerprint"),
    comment="What judges a sample: name, version and options.",
)

runs = sa.Table(
    "runs",
    metadata,
    identity("run_id", "key"),
    text_column("name", "name people use"),
    number("benchmark_id", sa.Integer, "benchmark", sa.ForeignKey(benchmarks.c.benchmark_id)),
    number("model_id", sa.Integer, "model", sa.ForeignKey(models.c.model_id)),
    number(
        "reference_verifier_id",
        sa.Integer,
        "verifier taken as ground truth for coverage",
        sa.ForeignKey(verifiers.c.verifier_id),
        null=True,
    ),
    number("samples_per_problem", sa.Integer, "samples wanted for each problem; null when others drew them", null=True),
    text_column("prompt_template", "what the model is given; {prompt} stands for the problem's prompt"),
    sa.Column("sampling", JSONB, nullable=False, comment="temperature, top_p, top_k, max_tokens, stop, seed"),
    text_column(
        "design",
        "sampling design: fixed_n, until_success, batch_until_success, adaptive, or unknown when drawn elsewhere",
    ),
    text_column("source", "generated here, or imported"),
    sa.Column("provenance", JSONB, nullable=False, server_default="{}", comment="of an import: file, hash, cutting"),
    text_column("fingerprint", "sha256 over everything that changes a sample"),
    sa.Column("state", sa.Text, nullable=False, server_default="open", comment="open, paused or cancelled"),
    created(),
    sa.Column(
        "stopping",
        JSONB,
        nullable=False,
        server_default='{"rule": "fixed"}',
        comment="stopping rule and its parameters: fixed, first-correct, batch-first-correct, budget-usd or adaptive",
    ),
    number("pilot_samples", sa.Integer, "samples drawn for every problem whatever the verdicts say", null=True),
    number("budget_samples", sa.BigInteger, "most samples the run may draw in all", null=True),
    number("budget_usd", sa.Numeric, "most US$ the run may spend", null=True),
    number("budget_gpu_hours", sa.Numeric, "most GPU hours the run may take", null=True),
    number("priority", sa.SmallInteger, "higher is worked off first; 0 is usual", server_default="0"),
    text_column("system_prompt", "system message of a chat model", null=True),
    text_column("adapter", "LoRA adapter the model is served with", null=True),
    sa.Column(
        "prompting",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="how prompts are made: chat template or plain, few-shot examples and their seed, preset",
    ),
    sa.Column("tags", JSONB, nullable=False, server_default="[]", comment="words people file the run under"),
    sa.UniqueConstraint("name"),
    sa.CheckConstraint("samples_per_problem > 0", name="samples_per_problem"),
    sa.CheckConstraint(
        "coalesce(pilot_samples, 0) >= 0 AND coalesce(budget_samples, 0) >= 0 AND coalesce(budget_usd, 0) >= 0 "
        "AND coalesce(budget_gpu_hours, 0) >= 0",
        name="not_negative",
    ),
    sa.CheckConstraint("source IN ('generated', 'imported')", name="source"),
    sa.CheckConstraint("state IN ('open', 'paused', 'cancelled')", name="state"),
    comment="One model, prompt template, sampling parameters and stopping rule over a benchmark.",
)

run_verifiers = sa.Table(
    "run_verifiers",
    metadata,
    sa.Column("run_id", sa.Integer, sa.ForeignKey(runs.c.run_id), primary_key=True, comment="run"),
    sa.Column("verifier_id", sa.Integer, sa.ForeignKey(verifiers.c.verifier_id), primary_key=True, comment="verifier"),
    number("repeats", sa.SmallInteger, "attempts each sample is judged in; the majority counts", server_default="1"),
    sa.CheckConstraint("repeats > 0", name="repeats"),
    comment="Verifiers that judge every new sample of a run.",
)

quarantines = sa.Table(
    "quarantines",
    metadata,
    identity("quarantine_id", "key"),
    number("problem_id", sa.Integer, "problem", sa.ForeignKey(problems.c.problem_id)),
    text_column("reason", "why: its reference fails, its tests are flaky, its answer is wrong"),
    created(),
    sa.Column(
        "lifted_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when it was lifted; null while it holds"
    ),
    sa.Index(None, "problem_id", unique=True, postgresql_where=sa.text("lifted_at IS NULL")),
    comment="Problems set aside; every curve can be taken with or without them.",
)

generated_tests = sa.Table(
    "generated_tests",
    metadata,
    identity("test_id", "key"),
    number("problem_id", sa.Integer, "problem", sa.ForeignKey(problems.c.problem_id)),
    text_column("suite", "name of the set it came with, such as the model that wrote it"),
    number("position", sa.Integer, "0-based place in the suite for its problem"),
    text_column("code", "program text, or the input of a stdin test"),
    text_column("expected", "expected output of a stdin test", null=True),
    sa.UniqueConstraint("problem_id", "suite", "position"),
    comment="Tests that a model wrote for a problem.",
)

stage_costs = sa.Table(
    "stage_costs",
    metadata,
    identity("stage_cost_id", "key"),
    number("run_id", sa.Integer, "run", sa.ForeignKey(runs.c.run_id)),
    text_column("stage", "stage of the pipeline: context, tests, edits, selection, ..."),
    number("problem_id", sa.Integer, "problem; null for a cost all problems share", null=True),
    number("model_id", sa.Integer, "model whose price counts", null=True),
    number("requests", sa.BigInteger, "requests", null=True),
    number("input_tokens", sa.BigInteger, "uncached prompt tokens", null=True),
    number("cached_input_tokens", sa.BigInteger, "prompt tokens read from a cache", null=True),
    number("cache_write_tokens", sa.BigInteger, "prompt tokens written to a cache", null=True),
    number("output_tokens", sa.BigInteger, "completion tokens without reasoning", null=True),
    number("reasoning_tokens", sa.BigInteger, "reasoning tokens", null=True),
    number("gpu_seconds", sa.Double, "device seconds", null=True),
    number("usd", sa.Numeric, "US$, where the bill is known and not its tokens", null=True),
    created(),
    sa.Index(None, "run_id", "stage"),
    comment="Costs that belong to no single sample: stages of a pipeline, shared context, machines.",
)
