"""Samples and what is kept beside them."""

from __future__ import annotations

import sqlalchemy as sa

from store.tables.columns import batch_index, created, key_column, metadata, number, sample_key, text_column

samples = sa.Table(
    "samples",
    metadata,
    *sample_key(),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    number("engine_id", sa.Integer, "engine that drew it; null when drawn elsewhere", null=True),
    number("seed", sa.BigInteger, "seed it was drawn with; null when drawn elsewhere", null=True),
    number("request_samples", sa.Integer, "samples that shared its request, and so its prompt", null=True),
    number("prompt_tokens", sa.Integer, "tokens of the prompt; null when unknown", null=True),
    number("cached_prompt_tokens", sa.Integer, "of them from the prefix cache", null=True),
    number("completion_tokens", sa.Integer, "tokens of the completion; null when unknown", null=True),
    text_column("finish_reason", "stop, length or abort; null when unknown", null=True),
    number("cumulative_logprob", sa.REAL, "natural log-probability of the completion", null=True),
    number("latency_seconds", sa.REAL, "seconds from asking to the last token", null=True),
    number("completion_hash", sa.BigInteger, "64-bit hash of the completion; equal texts have equal hashes"),
    created(),
    number("cache_write_tokens", sa.Integer, "prompt tokens written to a paid cache; null when unknown", null=True),
    number(
        "reasoning_tokens", sa.Integer, "of the completion tokens, those of hidden reasoning; null: none", null=True
    ),
    number("queue_seconds", sa.REAL, "seconds its request waited in the engine", null=True),
    number("prefill_seconds", sa.REAL, "seconds from scheduling to the first token", null=True),
    number("decode_seconds", sa.REAL, "seconds from the first token to the last", null=True),
    number("gpu_seconds", sa.REAL, "its share of the engine's device time, in seconds times devices", null=True),
    number("worker_id", sa.Integer, "worker that drew it", null=True),
    batch_index(),
    comment="One generation for one problem in one run. Append-only.",
)

completions = sa.Table(
    "completions",
    metadata,
    *sample_key(),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    text_column("completion", "text of the sample"),
    batch_index(),
    comment="The text of each sample, apart from the narrow rows that are scanned.",
)

prompts = sa.Table(
    "prompts",
    metadata,
    key_column("run_id", "run"),
    key_column("problem_id", "problem"),
    number("prompt_hash", sa.BigInteger, "64-bit hash of the rendered prompt"),
    number("prompt_tokens", sa.Integer, "its length in tokens; null when unknown", null=True),
    text_column("prompt", "what the model was given, chat template and examples included"),
    created(),
    comment="The rendered prompt of each problem in a run, written with its first sample.",
)

sample_logprobs = sa.Table(
    "sample_logprobs",
    metadata,
    *sample_key(),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    number("token_ids", sa.ARRAY(sa.Integer), "tokens of the completion, in order"),
    number("logprobs", sa.ARRAY(sa.REAL), "natural log-probability of each"),
    batch_index(),
    comment="Log-probabilities of each token, where the run asks for them.",
)

sample_sources = sa.Table(
    "sample_sources",
    metadata,
    *sample_key(),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    number("import_id", sa.Integer, "import that brought it"),
    text_column("locator", "where in the file: line, record, entry"),
    batch_index(),
    comment="Which record of which file a sample drawn elsewhere came from.",
)
