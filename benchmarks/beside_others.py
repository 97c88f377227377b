"""The same numbers as others get them: recording beside a bare COPY, curves beside pandas and the HumanEval script.

    python benchmarks/beside_others.py [--verdicts 10000000] [--recorded 500000]

One run prints every pair. Limits: samples and verdicts are recorded at 0.6 or more of the rate of a bare binary COPY of
the same bytes into tables like the store's, as many rows a transaction. Beside it stands the rate of a COPY into tables
without keys, which cannot keep rows from being stored twice, and what share of that the COPY into tables with keys
reaches itself: no recording can reach more. They take turns, transaction by transaction: the disk is at times half as
fast as a second before. What pandas and the HumanEval loader and estimator take for one coverage curve over the same
verdicts is printed beside ours; there is no limit, only the comparison.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psycopg

RECORDING_LIMIT = 0.6
PORTION = 10_000  # rows of a transaction
PROBLEMS = 100
KS = (1, 10, 100, 1000)
TABLES = ("samples", "completions", "verdicts")
COPIED = "bare binary COPY of the same bytes"


def main() -> int:
    """Print every pair; exit status 1 when recording is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=10_000_000)
    parser.add_argument("--recorded", type=int, default=500_000)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="passatk-benchmark-"))
    os.environ["PASSATK_HOME"] = str(folder / "home")
    os.environ.pop("PASSATK_DATABASE_URL", None)
    try:
        kept = _recording(folder, arguments.recorded)
        _curves(folder, arguments.verdicts)
        return 0 if kept else 1
    finally:
        from store import embedded

        embedded.stop(folder / "home")
        shutil.rmtree(folder, ignore_errors=True)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _timed(what: str, ask: Callable[[], Any], rows: int) -> None:
    seconds = _seconds(ask)
    print(f"{what:<58} {seconds:8.2f} s  {rows / seconds:12,.0f} rows/s", flush=True)


def _recording(folder: Path, rows: int) -> bool:
    """Record samples and verdicts through the store's doors, and COPY the same bytes into bare tables."""
    from store import schema
    from store.connection import database_url, transaction
    from store.samples import SampleRow, write_samples
    from store.verdicts import VerdictRow, write_verdicts

    schema.upgrade()
    url = database_url()
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            "INSERT INTO store.benchmarks (name, version, content_hash, format, source, problem_count) "
            "VALUES ('b', 1, 'h', 'jsonl', 'none', 1)",
            "INSERT INTO store.problems (benchmark_id, position, key, prompt) VALUES (1, 0, 'p', '?')",
            "INSERT INTO store.models (name, location, backend) VALUES ('m', 'm', 'none')",
            "INSERT INTO store.verifiers (name, version, fingerprint) VALUES ('answer', '1', 'f')",
            "INSERT INTO store.runs (name, benchmark_id, model_id, reference_verifier_id, prompt_template, sampling, "
            "design, source, fingerprint) VALUES ('r', 1, 1, 1, '{prompt}', '{}', 'fixed_n', 'generated', 'f')",
            "INSERT INTO store.batches (run_id, problem_id, verifier_id, first_index, end_index) "
            "VALUES (1, 1, NULL, 0, 1), (1, 1, 1, 0, 1)",
        ):
            connection.execute(statement)
    text = "x" * 1000

    def made(first: int, end: int) -> tuple[list[SampleRow], list[VerdictRow]]:
        """Rows as a worker hands them over: just made."""
        indexes = range(first, end)
        return (
            [SampleRow(1, 1, i, 1, text, seed=i, prompt_tokens=100, completion_tokens=200) for i in indexes],
            [VerdictRow(1, 1, i, 1, 0, 2, "incorrect", "wrong answer", "42", None, 0.5) for i in indexes],
        )

    def record(samples: list[SampleRow], verdicts: list[VerdictRow]) -> None:
        with transaction() as connection:
            write_samples(connection, samples)
            write_verdicts(connection, verdicts)

    taken: dict[str, list[float]] = {"ours": [], "bare": [], "keyed": []}
    with psycopg.connect(url, autocommit=True) as connection:
        for name in TABLES:
            connection.execute(f"CREATE TABLE public.bare_{name} (LIKE store.{name})".encode())
            connection.execute(f"CREATE TABLE public.keyed_{name} (LIKE store.{name} INCLUDING ALL)".encode())
        for first in range(0, rows, PORTION):
            end = min(first + PORTION, rows)
            taken["ours"].append(_seconds(partial(record, *made(first, end))))
            blocks = [_copied(connection, name, first, end) for name in TABLES]
            for kind in ("bare", "keyed"):
                taken[kind].append(_seconds(partial(_copy_in, connection, blocks, kind)))
    return _print_rates(taken, min(PORTION, rows))


def _print_rates(taken: dict[str, list[float]], portion: int) -> bool:
    for kind, what in (("ours", "recording samples and verdicts"), ("keyed", COPIED), ("bare", f"{COPIED}, no keys")):
        seconds = statistics.median(taken[kind])
        print(f"{what:<58} {seconds:8.3f} s  {portion / seconds:12,.0f} rows/s")
    rate = _rate(taken["keyed"], taken["ours"])
    kept = rate >= RECORDING_LIMIT
    said = f"  rate of the bare COPY, median of {len(taken['ours'])}"
    print(f"{said:<58} {rate:8.2f}    at least {RECORDING_LIMIT}: {'kept' if kept else 'MISSED'}")
    print(f"{said + ', no keys':<58} {_rate(taken['bare'], taken['ours']):8.2f}")
    print(f"{'  of which the COPY into tables with keys reaches':<58} {_rate(taken['bare'], taken['keyed']):8.2f}")
    return kept


def _rate(copied: list[float], other: list[float]) -> float:
    """Rate of the other beside that of what was copied in the same turn, in the middle of all turns."""
    return statistics.median(one / two for one, two in zip(copied, other, strict=True))


def _copied(connection: psycopg.Connection, table: str, first: int, end: int) -> bytes:
    """Stored rows of a range of samples, as binary COPY writes them."""
    buffer = io.BytesIO()
    asked = f"SELECT * FROM store.{table} WHERE sample_index >= {first} AND sample_index < {end}"  # noqa: S608
    with connection.cursor().copy(f"COPY ({asked}) TO STDOUT (FORMAT binary)".encode()) as out:
        for block in out:
            buffer.write(block)
    return buffer.getvalue()


def _copy_in(connection: psycopg.Connection, blocks: list[bytes], kind: str) -> None:
    """COPY a block into each table, in one transaction."""
    with connection.transaction():
        for name, block in zip(TABLES, blocks, strict=True):
            with connection.cursor().copy(f"COPY public.{kind}_{name} FROM STDIN (FORMAT binary)".encode()) as into:
                into.write(block)


def _curves(folder: Path, verdicts: int) -> None:
    """One coverage curve from the same verdicts: ours from tallies and segments, pandas, the HumanEval script."""
    per_problem = verdicts // PROBLEMS
    parquet, lines = folder / "verdicts.parquet", folder / "verdicts.jsonl"
    rows = f"""
        SELECT p AS problem_id, i AS sample_index, (hash(p * 1000003 + i) % 1000) < p * p / 40 AS passed
        FROM range({PROBLEMS}) AS a (p), range({per_problem}) AS b (i)
    """  # noqa: S608 - numbers of this script's own
    duckdb.sql(f"COPY ({rows}) TO '{parquet}' (FORMAT parquet)")
    named = f"SELECT 'HumanEval/' || problem_id AS task_id, passed FROM ({rows})"  # noqa: S608
    duckdb.sql(f"COPY ({named}) TO '{lines}' (FORMAT json)")
    print(f"{verdicts:,} verdicts, coverage at k = {', '.join(map(str, KS))}")
    curves = {}

    def ours() -> None:
        counted = "SELECT problem_id, count(*) AS n, count(*) FILTER (WHERE passed) AS c"
        counts = duckdb.sql(f"{counted} FROM read_parquet('{parquet}') GROUP BY 1").fetchnumpy()
        from store.analytics.statistics import pass_at_k_grid

        curves["ours"] = pass_at_k_grid(counts["n"], counts["c"], np.array(KS)).mean(axis=0)

    def pandas_way() -> None:
        import pandas

        frame = pandas.read_parquet(parquet)
        counts = frame.groupby("problem_id")["passed"].agg(["size", "sum"])
        curves["pandas"] = np.array([np.mean([_humaneval(n, c, k) for n, c in counts.to_numpy()]) for k in KS])

    def humaneval_way() -> None:
        results: dict[str, list[bool]] = defaultdict(list)
        with lines.open() as file:
            for line in file:
                record = json.loads(line)
                results[record["task_id"]].append(record["passed"])
        counts = [(len(passed), sum(passed)) for passed in results.values()]
        curves["humaneval"] = np.array([np.mean([_humaneval(n, c, k) for n, c in counts]) for k in KS])

    _timed("ours: DuckDB over the segment, our estimator", ours, verdicts)
    _timed("pandas over the same Parquet, np.prod estimator", pandas_way, verdicts)
    _timed("HumanEval loader over JSONL, np.prod estimator", humaneval_way, verdicts)
    for name, curve in curves.items():
        assert np.allclose(curve, curves["ours"], atol=1e-9), (name, curve, curves["ours"])


def _humaneval(n: int, c: int, k: int) -> float:
    """The estimator as Chen et al. print it (arXiv 2107.03374, figure 3)."""
    return 1.0 if n - c < k else float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


if __name__ == "__main__":
    sys.exit(main())
