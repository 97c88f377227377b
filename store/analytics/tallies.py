"""Tallies: small sums of the facts that curves are computed from, made anew for the runs that got new batches."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

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
        "What judging by a model took, per run, verifier, problem and judging model.",
        [
            ("run_id", "INTEGER", "run"),
            ("verifier_id", "INTEGER", "verifier"),
            ("problem_id", "INTEGER", "problem"),
            ("model_id", "INTEGER", "model that judged; null when unknown"),
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
            ("distinct_completions", "INTEGER", "different completions among them"),
        ],
    ),
}


#: Where the rows of a tally's second query belong.
TABLES = {"answer_groups_across": "answer_groups"}


@cache
def _sql(name: str) -> str:
    return files("store.analytics").joinpath("sql", "tallies", f"{name}.sql").read_text(encoding="utf-8")


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


def tally_run(connection: duckdb.DuckDBPyConnection, run_id: int) -> None:
    """Make the tallies of one run from the segments that the current catalogue's views read."""
    shape = connection.execute(
        "SELECT count(DISTINCT verifier_id), coalesce(max(attempt), 0), count(answer) FROM analytics.verdicts "  # noqa: S608
        f"WHERE run_id = {int(run_id)}"
    ).fetchone()
    assert shape is not None
    verifiers, last_attempt, answers = shape
    if last_attempt:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {_filled('judged', run_id)}")
    else:  # nothing to group: read where it lies, and only the columns a tally needs
        connection.execute(f"CREATE OR REPLACE TEMP VIEW judged AS {_filled('judged_once', run_id)}")
    costs = connection.execute(f"SELECT EXISTS (FROM analytics.verdict_costs WHERE run_id = {int(run_id)})").fetchone()
    assert costs is not None
    for name in [*_wanted(verifiers, answers), *(["judging_costs"] if costs[0] else [])]:
        connection.execute(f"INSERT INTO analytics.{TABLES.get(name, name)} {_filled(name, run_id)}")
    connection.execute(f"DROP {'TABLE' if last_attempt else 'VIEW'} judged")


def _wanted(verifiers: int, answers: int) -> list[str]:
    """The tallies that can have rows; comparing verifiers takes a join that a single verifier need not pay."""
    wanted = ["sample_counts"]
    if verifiers:
        wanted += ["problem_counts", "token_counts", "verifier_uses"]
    if answers:
        wanted.append("answer_groups")
    if verifiers > 1:
        wanted += ["agreement_counts", *(["answer_groups_across"] if answers else [])]
    return wanted


def _filled(name: str, run_id: int) -> str:
    return _sql(name).replace("$run_id", str(int(run_id)))
