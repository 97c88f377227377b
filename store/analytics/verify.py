"""Prove that the mirror is the store: rows, keys and contents of every mirrored batch, by counts and sums."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from store.analytics.contract import FACTS, Fact
from store.analytics.errors import NoSnapshot
from store.analytics.literals import quoted
from store.analytics.mirror_lock import writing
from store.analytics.refresh import last_state
from store.analytics.retally import wrong_tallies
from store.analytics.source import Source

#: What is summed of each fact beside its rows: the same expression in Postgres and DuckDB, {md5} being a text's digest.
_SUMS = {
    "samples": [
        "sample_index",
        "completion_hash % 1000003",
        "coalesce(completion_tokens, 0)",
        "coalesce(prompt_tokens, 0)",
        "coalesce(cached_prompt_tokens, 0)",
        "coalesce(cache_write_tokens, 0)",
        "coalesce(reasoning_tokens, 0)",
        "coalesce(request_samples, 0)",
        "coalesce(seed, 0) % 1000003",
        "{md5:coalesce(finish_reason, '')}",
        "{float:gpu_seconds}",
        "{float:cumulative_logprob}",
    ],
    "completions": ["sample_index", "{md5:completion}"],
    "prompts": ["problem_id", "prompt_hash % 1000003", "{md5:prompt}"],
    "sample_logprobs": ["sample_index", "{length:token_ids}", "{length:logprobs}", "{floats:logprobs}"],
    "sample_sources": ["sample_index", "import_id", "{md5:locator}"],
    "verdicts": [
        "sample_index",
        "attempt",
        "{md5:outcome || coalesce(reason, '') || ':' || coalesce(answer, '') || ':' || coalesce(answer_class, '')}",
        "{float:score}",
        "{float:seconds}",
    ],
    "verifier_outputs": ["sample_index", "attempt", "{md5:detail}"],
    "test_outcomes": ["sample_index", "attempt", "test_id", "{md5:outcome || coalesce(reason, '')}"],
    "step_scores": ["sample_index", "attempt", "{length:scores}", "{floats:scores}"],
    "verdict_costs": [
        "sample_index",
        "attempt",
        "coalesce(prompt_tokens, 0)",
        "coalesce(completion_tokens, 0)",
        "coalesce(requests, 0)",
        "coalesce(cached_prompt_tokens, 0)",
        "coalesce(reasoning_tokens, 0)",
        "{float:gpu_seconds}",
    ],
    "preferences": ["first_index", "second_index", "attempt", "{md5:winner}"],
}
#: A number with fractions as whole steps of it, which both engines make alike: a power of two multiplies it without
#: rounding, and whole numbers have one sum in any order. 0 for what has no place on that scale.
_STEPS = "CASE WHEN abs({0}) < 1e9 THEN floor(CAST({0} AS DOUBLE PRECISION) * 1048576)::bigint % 1000003 ELSE 0 END"
#: How a text's digest, a list's length and its numbers are written in each engine.
_SPELLED = {
    "postgres": {
        "md5": "('x' || substr(md5({0}), 1, 8))::bit(32)::bigint",
        "length": "coalesce(cardinality({0}), 0)",
        "float": _STEPS,
        "floats": f"(SELECT coalesce(sum({_STEPS.format('x')}), 0) FROM unnest({{0}}) AS x)",  # noqa: S608
    },
    "duckdb": {
        "md5": "('0x' || substr(md5({0}), 1, 8))::BIGINT",
        "length": "coalesce(len({0}), 0)",
        "float": _STEPS,
        "floats": f"coalesce(list_sum(list_transform({{0}}, lambda x: {_STEPS.format('x')})), 0)",
    },
}


@dataclass(frozen=True)
class Difference:
    """A fact of a run whose mirror is not its store, or a tally that is not what the run's rows say."""

    fact: str
    run: str
    in_store: int
    in_mirror: int


@dataclass(frozen=True)
class VerifyReport:
    """Rows compared, differences found, and done batches that the mirror has not pulled yet."""

    rows: int
    differences: tuple[Difference, ...]
    behind: int


def verify(database_url: str, mirror: Path) -> VerifyReport:
    """Compare every mirrored batch with the store, and every tally with one made again from the segments.

    Raises NoSnapshot for an empty mirror, MirrorBusy while another process writes it.
    """
    with writing(mirror):
        spill = mirror / "spill"
        source = Source(database_url, spill)
        try:
            source.use_all_cores()
            return _verify(source, mirror)
        finally:
            source.close()
            shutil.rmtree(spill, ignore_errors=True)


def _verify(source: Source, mirror: Path) -> VerifyReport:
    if last_state(source.connection, mirror) is None:
        raise NoSnapshot(f"The mirror in {mirror} is empty: run `passatk mirror refresh`.")
    source.begin()
    run = source.connection.execute
    run(
        "CREATE TEMP TABLE mirrored AS SELECT b.batch_id, r.run FROM old.analytics.batches AS b "
        "JOIN old.analytics.runs AS r USING (run_id) WHERE b.state = 'done'"
    )
    behind = run(
        "SELECT count(*) FROM pg.analytics.batches AS b ANTI JOIN mirrored USING (batch_id) WHERE b.state = 'done'"
    ).fetchone()
    rows, differences = 0, []
    for fact in FACTS:
        for name, stored, kept, same in _compared(source, fact):
            rows += kept
            if not same:
                differences.append(Difference(fact.name, name, stored, kept))
    differences += [Difference(*one) for one in wrong_tallies(source.connection, mirror)]
    seen = {(one.fact, one.run) for one in differences}
    differences += [one for one in _wrong_counts(source) if (one.fact, one.run) not in seen]
    return VerifyReport(rows, tuple(differences), int(behind[0]) if behind else 0)


def _sums(fact: str, engine: str) -> str:
    kind = "bigint" if engine == "postgres" else "HUGEINT"
    spelled = []
    for place, expression in enumerate(_SUMS[fact]):
        for name, form in _SPELLED[engine].items():
            if expression.startswith("{" + name + ":"):
                expression = form.format(expression.removeprefix("{" + name + ":").removesuffix("}"))
                break
        spelled.append(f"sum({expression})::{kind} AS sum{place}")
    return ", ".join(spelled)


def _compared(source: Source, fact: Fact) -> list[tuple[str, int, int, bool]]:
    """Per run: its name, rows in the store, rows in the mirror, and whether both are the same."""
    totals = ", ".join(f"sum(sum{place})" for place in range(len(_SUMS[fact.name])))
    # Rows that name no batch are compared run by run, the others only where the mirror has their batch.
    by, known = ("batch_id", "mirrored") if fact.judged is not None else ("run_id", "old.analytics.runs")
    asked = f"SELECT {by}, count(*) AS n, {_sums(fact.name, 'postgres')} FROM analytics.{fact.name} GROUP BY {by}"  # noqa: S608
    rows = source.connection.execute(
        f"""
        WITH stored AS (FROM postgres_query('pg', {quoted(asked)})),
        kept AS (
            SELECT {by}, count(*) AS n, {_sums(fact.name, "duckdb")} FROM old.analytics.{fact.name} GROUP BY {by}
        ),
        sides AS (
            SELECT 'store' AS side, run, sum(n) AS n, [{totals}] AS sums
            FROM stored JOIN {known} USING ({by}) GROUP BY run
            UNION ALL
            SELECT 'mirror', run, sum(n), [{totals}]
            FROM kept JOIN {known} USING ({by}) GROUP BY run
        )
        SELECT
            run,
            coalesce(any_value(n) FILTER (WHERE side = 'store'), 0)::BIGINT,
            coalesce(any_value(n) FILTER (WHERE side = 'mirror'), 0)::BIGINT,
            count(*) = 2 AND count(DISTINCT sums) = 1 AND count(DISTINCT n) = 1
        FROM sides GROUP BY run ORDER BY run
        """  # noqa: S608
    ).fetchall()
    return [(str(name), int(stored), int(kept), bool(same)) for name, stored, kept, same in rows]


def _wrong_counts(source: Source) -> list[Difference]:
    """Runs whose counts of judged samples are not what their verdicts say, found without the tallies' own queries."""
    rows = source.connection.execute(
        """
        WITH judged AS (
            SELECT
                run_id, verifier_id, problem_id, sample_index,
                count(*) FILTER (WHERE outcome = 'correct') - count(*) FILTER (WHERE outcome = 'incorrect') AS balance
            FROM old.analytics.verdicts GROUP BY ALL
        ),
        counted AS (
            SELECT
                run_id, verifier_id, problem_id,
                count(*) FILTER (WHERE balance <> 0) AS n,
                count(*) FILTER (WHERE balance > 0) AS c,
                count(*) FILTER (WHERE balance = 0) AS undecided
            FROM judged GROUP BY ALL
        )
        SELECT r.run, coalesce(sum(counted.n), 0)::BIGINT, coalesce(sum(t.n), 0)::BIGINT
        FROM counted FULL JOIN old.analytics.problem_counts AS t USING (run_id, verifier_id, problem_id)
        JOIN old.analytics.runs AS r USING (run_id)
        WHERE (counted.n, counted.c, counted.undecided) IS DISTINCT FROM (t.n, t.c, t.undecided)
        GROUP BY r.run ORDER BY r.run
        """
    ).fetchall()
    return [Difference("problem_counts", str(run), int(stored), int(kept)) for run, stored, kept in rows]
