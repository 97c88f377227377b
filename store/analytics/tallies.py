"""Tallies: small sums of the facts that curves are computed from. `tallying` makes them."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

#: Tables of the catalogue: comment and columns (name, type, comment). problem_counts is the store's view of that name.
TALLIES: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "problem_counts": (
        "Judged and correct samples per run, verifier, problem.",
        [
            ("run_id", "INTEGER", "run"),
            ("verifier_id", "INTEGER", "verifier"),
            ("problem_id", "INTEGER", "problem"),
            ("n", "INTEGER", "samples this verifier decided"),
            ("c", "INTEGER", "of them correct, by majority of the attempts"),
            ("undecided", "INTEGER", "samples it could not decide: its attempts broke, or are split evenly"),
        ],
    ),
    "answer_groups": (
        "Equal answers per run, judging verifier, answer-reading verifier and problem; a null answer is no answer.",
        [
            ("run_id", "INTEGER", "run"),
            ("verifier_id", "INTEGER", "verifier that judges"),
            ("answers_from_id", "INTEGER", "verifier whose answers are grouped"),
            ("problem_id", "INTEGER", "problem"),
            ("answer", "VARCHAR", "normalised final answer; null when a sample has none"),
            ("samples", "INTEGER", "decided samples with this answer"),
            ("correct", "INTEGER", "of them correct"),
        ],
    ),
    "agreement_counts": (
        "How two verifiers judged the same samples, per run and problem.",
        [
            ("run_id", "INTEGER", "run"),
            ("verifier_id", "INTEGER", "verifier in question"),
            ("reference_id", "INTEGER", "verifier taken as the truth"),
            ("problem_id", "INTEGER", "problem"),
            ("tp", "INTEGER", "samples accepted and correct"),
            ("fp", "INTEGER", "samples accepted and incorrect"),
            ("fn", "INTEGER", "samples rejected and correct"),
            ("tn", "INTEGER", "samples rejected and incorrect"),
        ],
    ),
    "token_counts": (
        "Tokens of decided samples per run, verifier, problem and outcome.",
        [
            ("run_id", "INTEGER", "run"),
            ("verifier_id", "INTEGER", "verifier"),
            ("problem_id", "INTEGER", "problem"),
            ("correct", "BOOLEAN", "whether these are the correct samples or the incorrect ones"),
            ("samples", "INTEGER", "decided samples"),
            ("with_tokens", "INTEGER", "of them with known token counts"),
            ("prompt_tokens", "DOUBLE", "prompt tokens, a request's prompt shared out over its samples"),
            ("cached_prompt_tokens", "DOUBLE", "of them from the prefix cache"),
            ("completion_tokens", "BIGINT", "completion tokens"),
            ("cache_write_tokens", "DOUBLE", "prompt tokens written to a paid cache"),
            ("reasoning_tokens", "BIGINT", "of the completion tokens, those of hidden reasoning"),
            ("requests", "DOUBLE", "requests, each shared out over its samples"),
            ("gpu_seconds", "DOUBLE", "device seconds; null when none is known"),
            ("with_gpu", "INTEGER", "samples with known device seconds"),
            ("prompt_squares", "DOUBLE", "sum of p(p+1) over requests, p being a prompt's tokens"),
            ("completion_squares", "DOUBLE", "sum of q(q+1) over samples, q being a completion's tokens"),
            ("token_products", "DOUBLE", "sum of p q over samples"),
            ("whole_prompt_tokens", "BIGINT", "prompt tokens with the whole prompt counted for every sample"),
            ("whole_cached_prompt_tokens", "BIGINT", "of them from the prefix cache"),
            ("whole_cache_write_tokens", "BIGINT", "of them written to a paid cache"),
            ("whole_prompt_squares", "DOUBLE", "sum of p(p+1) over samples"),
        ],
    ),
    "verifier_uses": (
        "What each verifier gave a run beside outcomes.",
        [
            ("run_id", "INTEGER", "run"),
            ("verifier_id", "INTEGER", "verifier"),
            ("verdicts", "BIGINT", "verdicts it gave"),
            ("attempts", "INTEGER", "most judgements of one sample"),
            ("answers", "BIGINT", "verdicts with a final answer"),
            ("scores", "BIGINT", "verdicts with a score"),
            ("step_scores", "BIGINT", "verdicts with a score for each step"),
            ("test_outcomes", "BIGINT", "outcomes of generated tests"),
        ],
    ),
    "judging_costs": (
        "What judging by a model took, per run, verifier, problem, judging model and outcome.",
        [
            ("run_id", "INTEGER", "run"),
            ("verifier_id", "INTEGER", "verifier"),
            ("problem_id", "INTEGER", "problem"),
            ("model_id", "INTEGER", "model that judged; null when unknown"),
            ("correct", "BOOLEAN", "how the samples were judged; null: undecided, or pairs were compared"),
            ("samples", "INTEGER", "samples judged at a known cost"),
            ("requests", "BIGINT", "requests"),
            ("prompt_tokens", "BIGINT", "tokens of the prompts"),
            ("cached_prompt_tokens", "BIGINT", "of them from a cache"),
            ("completion_tokens", "BIGINT", "tokens of the answers"),
            ("reasoning_tokens", "BIGINT", "of them hidden reasoning"),
            ("gpu_seconds", "DOUBLE", "device seconds"),
        ],
    ),
    "sample_counts": (
        "Samples and tokens per run and problem, judged or not.",
        [
            ("run_id", "INTEGER", "run"),
            ("problem_id", "INTEGER", "problem"),
            ("samples", "INTEGER", "samples drawn"),
            ("with_tokens", "INTEGER", "of them with known token counts"),
            ("prompt_tokens", "DOUBLE", "prompt tokens, a request's prompt shared out over its samples"),
            ("cached_prompt_tokens", "DOUBLE", "of them from the prefix cache"),
            ("completion_tokens", "BIGINT", "completion tokens"),
            ("median_completion_tokens", "DOUBLE", "median completion tokens of a sample"),
            ("truncated", "INTEGER", "samples that ended at the longest length allowed"),
            ("whole_prompt_tokens", "BIGINT", "prompt tokens with the whole prompt counted for every sample"),
        ],
    ),
}


#: How many of its first columns say what a row of a tally is about; the others are sums of rows.
KEYS = {
    "problem_counts": 3,
    "answer_groups": 5,
    "agreement_counts": 4,
    "token_counts": 4,
    "verifier_uses": 2,
    "judging_costs": 5,
    "sample_counts": 2,
}

#: Columns of keys that may be null.
_NULLABLE = ("answer", "model_id", "correct")
#: Columns that are put together otherwise than by adding. A median is no sum: it is left null where there were several,
#: for whoever can see the rows.
_OTHERWISE = {"attempts": "greatest(kept.attempts, news.attempts)", "median_completion_tokens": "NULL"}


def create_tallies(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the empty tables in schema `analytics` of the current catalogue."""
    for name, (_, columns) in TALLIES.items():
        spelled = ", ".join(f"{column} {kind}" for column, kind, _ in columns)
        connection.execute(f"CREATE TABLE analytics.{name} ({spelled})")


def drop_tallies(connection: duckdb.DuckDBPyConnection, runs: Iterable[int]) -> None:
    """Take the tallies of runs out of the current catalogue."""
    listed = ", ".join(str(run) for run in runs)
    for name in TALLIES if listed else ():
        connection.execute(f"DELETE FROM analytics.{name} WHERE run_id IN ({listed})")  # noqa: S608


def add_to_tally(connection: duckdb.DuckDBPyConnection, name: str, query: str) -> None:
    """Add the rows of a query to a tally: each to the one that says something about the same, or as a new one."""
    names = [column for column, _, _ in TALLIES[name][1]]
    keys, sums = names[: KEYS[name]], names[KEYS[name] :]
    same = " AND ".join(f"kept.{key} {'IS NOT DISTINCT FROM' if key in _NULLABLE else '='} news.{key}" for key in keys)
    added = ", ".join(f"{column} = {_OTHERWISE.get(column) or _added(column)}" for column in sums)
    connection.execute(
        f"MERGE INTO analytics.{name} AS kept USING ({query}) AS news ON {same} "
        f"WHEN MATCHED THEN UPDATE SET {added} WHEN NOT MATCHED THEN INSERT"
    )


def _added(column: str) -> str:
    return f"coalesce(kept.{column} + news.{column}, kept.{column}, news.{column})"
