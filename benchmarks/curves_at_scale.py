"""How fast curves come from a large mirror: 100 runs x 100 problems x 10,000 samples, 100 million verdicts.

    python benchmarks/curves_at_scale.py [--runs 100] [--problems 100] [--samples 10000] [--keep FOLDER]

The samples and verdicts are made straight into segments (Postgres holds only runs, problems and batches), then tallied
and published as a refresh does it. Limits: any coverage or cost curve over all runs in 0.3 s, majority vote and best of
k of one run in 0.5 s, both computed (cold) and read where a refresh has kept them, and 1.5 GB of memory for the process
that reads.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from peak_memory import peak_memory

CURVE_SECONDS, SELECTION_SECONDS, MEMORY_BYTES = 0.3, 0.5, 1_500_000_000
_KEPT = {"selection": "majority", "best_of_k": "best_of", "weighted_vote": "weighted"}  # where curves are kept
_SCORED, _NEAR_TIES = 1, "near-ties"  # the run with a reward model's scores, and the name of that with close answers

# A problem's chance falls from easy to nearly impossible; a wrong sample gives one of a dozen wrong answers.
_ROWS = """
SELECT {run}::INTEGER AS run_id, p::INTEGER AS problem_id, i::INTEGER AS sample_index,
       (({run} - 1) * {problems} + p)::BIGINT AS batch_id,
       (hash({run} * 1000003 + p * 10007 + i) % 1000000) / 1e6 AS drawn,
       CASE WHEN {run} > {runs} THEN 0.05 ELSE power(1.0 - p / {problems}.5, 3) * (0.3 + 0.7 * {run} / {runs}) END
           AS chance
FROM range(1, {problems} + 1) AS a (p), range({samples}) AS b (i)
"""
_FACTS = {
    "samples": """
        SELECT run_id, problem_id, sample_index, batch_id, NULL::INTEGER AS engine_id, sample_index::BIGINT AS seed,
               64 AS request_samples, 150 AS prompt_tokens, 0 AS cached_prompt_tokens,
               (50 + drawn * 400)::INTEGER AS completion_tokens, 'stop' AS finish_reason,
               (-50 * drawn)::FLOAT AS cumulative_logprob, 1.5::FLOAT AS latency_seconds,
               (hash(sample_index) // 2)::BIGINT AS completion_hash, TIMESTAMPTZ '2026-01-01' AS created_at, {lacking}
        FROM ({rows})
    """,
    "verdicts": """
        SELECT run_id, problem_id, sample_index, 1 AS verifier_id, 0::SMALLINT AS attempt, batch_id,
               CASE WHEN drawn < chance THEN 'correct' ELSE 'incorrect' END AS outcome,
               CASE WHEN drawn < chance THEN NULL ELSE 'wrong answer' END AS reason,
               CASE WHEN drawn < chance THEN '42' WHEN {run} > {runs} THEN floor(drawn * 20)::INTEGER::VARCHAR
                    ELSE (sqrt(drawn * 144))::INTEGER::VARCHAR END AS answer,
               drawn::FLOAT AS score, 0.01::FLOAT AS seconds, TIMESTAMPTZ '2026-01-01' AS created_at, {lacking}
        FROM ({rows})
        UNION ALL
        SELECT run_id, problem_id, sample_index, 2, 0::SMALLINT, batch_id, 'correct', NULL, NULL,
               (hash(sample_index * 131 + problem_id) % 1000000 / 1e6 + (drawn < chance)::INTEGER * 0.2)::FLOAT,
               0.01::FLOAT, TIMESTAMPTZ '2026-01-01', {lacking}
        FROM ({rows}) WHERE run_id = {scored}
    """,
}


def main() -> int:
    """Print every measure beside its limit; exit status 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--problems", type=int, default=100, help="problems per run")
    parser.add_argument("--samples", type=int, default=10_000, help="samples per problem")
    parser.add_argument("--keep", type=Path, help="folder for the mirror, used again when it is there")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        return _read(arguments.read)
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="passatk-benchmark-"))
    try:
        if not (folder / "mirror" / "catalogue.duckdb").exists():
            _make(folder, arguments.runs, arguments.problems, arguments.samples)
        # A process of its own: what it holds at most is what a reader needs.
        command = [sys.executable, str(Path(__file__).resolve()), "--read", str(folder / "mirror")]
        return subprocess.run(command, check=False).returncode
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path, runs: int, problems: int, samples: int) -> None:
    os.environ["PASSATK_HOME"] = str(folder)
    os.environ.pop("PASSATK_DATABASE_URL", None)
    from store import embedded, schema
    from store.analytics import refresh as refreshing
    from store.analytics.contract import FACTS
    from store.analytics.pull import Work
    from store.analytics.segments import write_segments
    from store.connection import database_url

    def made(work: Work) -> dict[str, int]:
        for fact in FACTS:
            if fact.name in _FACTS:
                columns = work.source.columns(fact.name)
                for run in range(1, runs + 2):
                    rows = _ROWS.format(run=run, runs=runs, problems=problems, samples=samples)
                    lacking = _lacking(_FACTS[fact.name], columns)
                    query = _FACTS[fact.name].format(rows=rows, lacking=lacking, run=run, runs=runs, scored=_SCORED)
                    work.connection.execute(f"CREATE TEMP TABLE staged AS {query}")
                    work.new += write_segments(work.connection, "staged", fact, work.mirror, work.name)
                    work.connection.execute("DROP TABLE staged")
        return dict.fromkeys(_FACTS, (runs + 1) * samples * problems)

    schema.upgrade()
    try:
        _fill(database_url(), runs, problems, samples)
        # Rows come from here instead of from Postgres; everything after that is a refresh as it always is.
        vars(refreshing)["_pull"] = made
        started = time.perf_counter()
        report = refreshing.refresh(database_url(), folder / "mirror")
        print(
            f"made and tallied {report.rows['verdicts']:,} verdicts in {time.perf_counter() - started:.0f} s",
            flush=True,
        )
    finally:
        embedded.stop(folder)


def _lacking(query: str, columns: list[tuple[str, str]]) -> str:
    """The view's columns that a query does not make, as nulls."""
    keys = ("run_id", "problem_id", "sample_index", "batch_id")
    named = [name for name, _ in columns if name not in keys and f" AS {name}" not in query]
    return ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns if name in named)


def _fill(url: str, runs: int, problems: int, samples: int) -> None:
    statements = (
        "INSERT INTO store.benchmarks (name, version, content_hash, format, source, problem_count) "
        "VALUES ('measured', 1, 'h', 'jsonl', 'none', %(problems)s)",
        "INSERT INTO store.problems (benchmark_id, position, key, prompt) "
        "SELECT 1, i, 'p' || i, 'prompt' FROM generate_series(0, %(problems)s - 1) AS i",
        "INSERT INTO store.models (name, location, backend) VALUES ('m', 'm', 'none')",
        "INSERT INTO store.prices (model_id, valid_from, input_usd_per_mtok, output_usd_per_mtok) "
        "VALUES (1, '2024-01-01', 0.5, 1.5)",
        "INSERT INTO store.verifiers (name, version, fingerprint) VALUES ('answer', '1', 'f'), ('reward', '1', 'r')",
        "INSERT INTO store.runs (name, benchmark_id, model_id, reference_verifier_id, samples_per_problem, "
        "prompt_template, sampling, design, source, fingerprint) SELECT CASE WHEN r > %(runs)s "
        "THEN 'near-ties' ELSE 'run-' || r END, 1, 1, 1, %(samples)s, '{prompt}', "
        "'{}', 'fixed_n', 'generated', 'f' || r FROM generate_series(1, %(runs)s::int + 1) AS r",
        "INSERT INTO store.batches "
        "(run_id, problem_id, verifier_id, first_index, end_index, state, row_count, done_at) "
        "SELECT r, p, 1, 0, %(samples)s, 'done', %(samples)s, now() "
        "FROM generate_series(1, %(runs)s::int + 1) AS r, generate_series(1, %(problems)s) AS p ORDER BY r, p",
    )
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement, {"problems": problems, "runs": runs, "samples": samples})


def _read(mirror: Path) -> int:
    from store.analytics import open_snapshot

    started = time.perf_counter()
    snapshot = open_snapshot(mirror)
    names = [row["run"] for row in snapshot.query("run_summary").records() if row["run"] != _NEAR_TIES]
    print(f"open and list {len(names)} runs                {time.perf_counter() - started:6.3f} s")
    kept = [
        _timed("coverage of all runs, every k", CURVE_SECONDS, lambda: snapshot.query("coverage", run=names)),
        _timed("cost of all runs, every k", CURVE_SECONDS, lambda: snapshot.query("cost", run=names)),
        _timed("pass rates of one run", CURVE_SECONDS, lambda: snapshot.query("pass_rates", run=names[0])),
        _timed("one page of samples", CURVE_SECONDS, lambda: snapshot.query("samples", run=names[0], problem="p7")),
    ]
    if len(names) > 1:
        kept.append(
            _timed(
                "difference of every run to the first",
                CURVE_SECONDS,
                lambda: snapshot.query("coverage_difference", run=names, k=[1, 10, 100, 1000]),
            )
        )
    first = next(name for name in names if name == f"run-{_SCORED}")
    reward = {"run": first, "scores_from": "reward"}
    for query, what, asked in (
        ("selection", "majority vote", {"run": first}),
        ("best_of_k", "best of k", {"run": first, "scores_from": "answer"}),
        ("best_of_k", "best of k by a reward model", reward),
        ("weighted_vote", "weighted vote, 200 orders", reward | {"transform": "sigmoid"}),
        ("selection", "majority of near ties", {"run": _NEAR_TIES}),
    ):
        shutil.rmtree(mirror / "kept" / _KEPT[query], ignore_errors=True)
        ask = partial(snapshot.query, query, **asked)
        kept.append(_timed_once(f"{what}, computed cold", ask))
        kept.append(_timed(f"{what}, kept", SELECTION_SECONDS, ask))
        if query == "weighted_vote":
            print(f"{'':<41} error of its simulation at most {max(ask().table['monte_carlo_se'].to_pylist()):.4f}")
    most = peak_memory()
    word = _word(most < MEMORY_BYTES)
    print(f"memory of this process               {most / 1e9:6.3f} GB  under {MEMORY_BYTES / 1e9} GB: {word}")
    return 0 if all(kept) and most < MEMORY_BYTES else 1


def _timed(what: str, limit: float, ask: Any) -> bool:
    """Best of three, the first of which also loads code."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        ask()
        times.append(time.perf_counter() - started)
    print(
        f"{what:<41} {min(times):6.3f} s  (first {times[0]:.3f} s)  under {limit} s: {_word(min(times) < limit)}",
        flush=True,
    )
    return min(times) < limit


def _timed_once(what: str, ask: Any) -> bool:
    """What is only computed once: seconds of the clock, and of the processor where the machine has other work."""
    started, used = time.perf_counter(), time.process_time()
    ask()
    seconds, busy = time.perf_counter() - started, time.process_time() - used
    word = _word(seconds < SELECTION_SECONDS)
    print(f"{what:<41} {seconds:6.3f} s  (processor {busy:.3f} s)  under {SELECTION_SECONDS} s: {word}", flush=True)
    return seconds < SELECTION_SECONDS


def _word(kept: bool) -> str:
    return "kept" if kept else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
