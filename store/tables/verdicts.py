"""Verdicts and what is kept beside them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.columns import batch_index, created, identity, key_column, metadata, number, text_column, verdict_key

environments = sa.Table(
    "environments",
    metadata,
    identity("environment_id", "key"),
    text_column("tier", "sandbox tier: bwrap, landlock, ..., none without a sandbox, or host where no program is run"),
    sa.Column("detail", JSONB, nullable=False, comment="versions of interpreter, kernel, tools and libraries"),
    text_column("digest", "sha256 over tier and detail"),
    created(),
    sa.UniqueConstraint("digest"),
    comment="Where verdicts were made. Every verdict made here names one.",
)

verdicts = sa.Table(
    "verdicts",
    metadata,
    *verdict_key(),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    text_column("outcome", "correct, incorrect, or undecided when the verifier or its host broke"),
    text_column("reason", "why it is not correct", null=True),
    text_column("answer", "normalised final answer taken from the completion", null=True),
    number("score", sa.REAL, "number given by a scoring verifier", null=True),
    number("seconds", sa.REAL, "seconds the judgement took"),
    created(),
    text_column("answer_class", "answer that stands for all equivalent ones; null: the answer itself", null=True),
    number("environment_id", sa.Integer, "where it was judged: sandbox tier, interpreter, host kind", null=True),
    number("weak", sa.Boolean, "true when the tests had to share the candidate's process", null=True),
    sa.CheckConstraint("outcome IN ('correct', 'incorrect', 'undecided')", name="outcome"),
    batch_index(),
    comment="One judgement of one sample by one verifier. Append-only: judging again adds rows.",
)

verifier_outputs = sa.Table(
    "verifier_outputs",
    metadata,
    *verdict_key(),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    sa.Column("detail", JSONB, nullable=False, comment="failing test, expected and got, stderr tail, limits, sandbox"),
    batch_index(),
    comment="What a verifier said beside its verdict, apart from the narrow rows that are scanned.",
)

answer_classes = sa.Table(
    "answer_classes",
    metadata,
    key_column("problem_id", "problem"),
    key_column("verifier_id", "verifier whose parser and equivalence it is"),
    sa.Column("answer", sa.Text, primary_key=True, comment="normalised answer"),
    text_column("answer_class", "first answer seen that is equivalent to it"),
    created(),
    comment="Which normalised answers are equivalent, decided once per parser version, so that votes agree.",
)

test_outcomes = sa.Table(
    "test_outcomes",
    metadata,
    *verdict_key(),
    key_column("test_id", "generated test"),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    text_column("outcome", "correct when the candidate passes the test, incorrect, or undecided"),
    text_column("reason", "why it does not pass", null=True),
    sa.CheckConstraint("outcome IN ('correct', 'incorrect', 'undecided')", name="outcome"),
    batch_index(),
    comment="The matrix of candidates and generated tests: one row per sample and test.",
)

step_scores = sa.Table(
    "step_scores",
    metadata,
    *verdict_key(),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    number("scores", sa.ARRAY(sa.REAL), "score of each step, in order"),
    batch_index(),
    comment="Scores of a process reward model; how they are put together is chosen at analysis time.",
)

verdict_costs = sa.Table(
    "verdict_costs",
    metadata,
    *verdict_key(),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    number("model_id", sa.Integer, "model that judged, whose price counts", null=True),
    number("requests", sa.SmallInteger, "requests it took", server_default="1"),
    number("prompt_tokens", sa.Integer, "tokens of the prompts", null=True),
    number("cached_prompt_tokens", sa.Integer, "of them from a cache", null=True),
    number("completion_tokens", sa.Integer, "tokens of the answers", null=True),
    number("reasoning_tokens", sa.Integer, "of them hidden reasoning", null=True),
    number("gpu_seconds", sa.REAL, "device seconds it took", null=True),
    batch_index(),
    comment="What a judgement by a model cost, in tokens and device time.",
)

preferences = sa.Table(
    "preferences",
    metadata,
    key_column("run_id", "run"),
    key_column("problem_id", "problem"),
    key_column("first_index", "sample shown first"),
    key_column("second_index", "sample shown second"),
    key_column("verifier_id", "judge"),
    sa.Column("attempt", sa.SmallInteger, primary_key=True, autoincrement=False, comment="0 for the first judgement"),
    number("batch_id", sa.BigInteger, "batch that wrote it"),
    text_column("winner", "first, second, tie, or undecided when the judge broke"),
    number("seconds", sa.REAL, "seconds the judgement took"),
    created(),
    sa.CheckConstraint("winner IN ('first', 'second', 'tie', 'undecided')", name="winner"),
    batch_index(),
    comment="Pairwise judgements. A swapped pair is a row of its own, so that position bias shows.",
)
