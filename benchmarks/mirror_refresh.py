"""How fast the mirror follows the store: a refresh beside a bare COPY of the same rows, and beside a small top-up.

    python benchmarks/mirror_refresh.py [--verdicts 10000000] [--keep FOLDER]

Makes a store of its own with that many verdicts, in batches of 100, on the embedded server. Limits: a full refresh runs
at 0.7 or more of the rate of `COPY (SELECT * FROM pg.store.verdicts) TO parquet` through the same extension, and after
1 % more rows a refresh takes less than 3 % of the time of the full one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import psycopg

RATE_LIMIT, TOP_UP_LIMIT = 0.7, 0.03
PROBLEMS, SAMPLES_PER_BATCH = 100, 100

_RUNS = """
INSERT INTO store.runs (name, benchmark_id, model_id, reference_verifier_id, samples_per_problem, prompt_template,
                        sampling, design, source, fingerprint)
SELECT 'run-' || r, 1, 1, 1, %(samples)s, '{prompt}', '{}', 'fixed_n', 'generated', 'f' || r
FROM generate_series(%(first)s::int, %(last)s::int) AS r
"""
_BATCHES = """
INSERT INTO store.batches (run_id, problem_id, verifier_id, first_index, end_index, state, row_count, done_at)
SELECT r, p, 1, b * %(size)s, (b + 1) * %(size)s, 'done', %(size)s, now()
FROM generate_series(%(first)s::int, %(last)s::int) AS r, generate_series(0, %(samples)s / %(size)s - 1) AS b,
     generate_series(1, %(problems)s) AS p
ORDER BY r, b, p
"""
_VERDICTS = """
INSERT INTO store.verdicts (run_id, problem_id, sample_index, verifier_id, attempt, batch_id, outcome, reason, answer,
                            score, seconds)
SELECT run_id, problem_id, i, 1, 0, batch_id,
       CASE WHEN h < problem_id * problem_id / 40 THEN 'correct' ELSE 'incorrect' END,
       CASE WHEN h < problem_id * problem_id / 40 THEN NULL ELSE 'wrong answer' END,
       CASE WHEN h < problem_id * problem_id / 40 THEN '42' ELSE (h %% (5 + problem_id))::text END, NULL, h / 1024.0
FROM store.batches, generate_series(first_index, end_index - 1) AS i,
     LATERAL (SELECT hashint8(batch_id * 131 + i) & 1023 AS h) AS drawn
WHERE run_id BETWEEN %(first)s AND %(last)s
ORDER BY batch_id, i
"""


def main() -> int:
    """Print every measure beside its limit; exit status 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3, help="each time is the best of so many")
    parser.add_argument("--keep", type=Path, help="folder for the store, used again when it is there")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="passatk-benchmark-"))
    os.environ["PASSATK_HOME"] = str(folder)
    os.environ.pop("PASSATK_DATABASE_URL", None)
    try:
        return _measure(folder, arguments.verdicts, arguments.repeats)
    finally:
        from store import embedded

        embedded.stop(folder)
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _measure(folder: Path, verdicts: int, repeats: int) -> int:
    from store import schema
    from store.analytics.refresh import refresh
    from store.connection import database_url

    schema.upgrade()
    url = database_url()
    stored = _fill(url, max(1, verdicts // 1_000_000), min(verdicts, 1_000_000) // PROBLEMS)
    times, full, mirror = [], [], folder / "measured"
    for _ in range(repeats):  # in turns, so that a noisy machine disturbs both alike
        times.append(_bare_copy(url, folder / "bare.parquet"))
        shutil.rmtree(mirror, ignore_errors=True)
        started = time.perf_counter()
        report = refresh(url, mirror)
        full.append(time.perf_counter() - started)
        assert report.rows["verdicts"] == stored, report
    bare = min(times)
    print(f"{stored:,} verdicts, best of {repeats}")
    print(f"bare COPY through the extension   {bare:8.2f} s  {stored / bare:12,.0f} rows/s")
    rate = bare / min(full)
    print(f"full refresh                      {min(full):8.2f} s  {stored / min(full):12,.0f} rows/s")
    print(f"  rate of the bare COPY           {rate:8.2f}    at least {RATE_LIMIT}: {_word(rate >= RATE_LIMIT)}")
    started = time.perf_counter()
    refresh(url, mirror)
    print(f"refresh of nothing new            {time.perf_counter() - started:8.2f} s")
    share, rows = _top_up(url, mirror, stored, min(full))
    print(f"refresh of {rows:,} more rows       {share * min(full):8.2f} s")
    print(f"  share of the full refresh       {share:8.2%}    under {TOP_UP_LIMIT:.0%}: {_word(share < TOP_UP_LIMIT)}")
    return 0 if rate >= RATE_LIMIT and share < TOP_UP_LIMIT else 1


def _word(kept: bool) -> str:
    return "kept" if kept else "MISSED"


def _top_up(url: str, mirror: Path, stored: int, full: float) -> tuple[float, int]:
    """Add a run of 1 % of the rows, refresh, and give the share of a full refresh's time it took."""
    from store.analytics.refresh import refresh

    with psycopg.connect(url, autocommit=True) as connection:
        last = connection.execute("SELECT max(run_id) FROM store.runs").fetchone()
        assert last is not None
        size = SAMPLES_PER_BATCH
        samples = max(size, stored // 100 // PROBLEMS // size * size)
        _add(connection, int(last[0]) + 1, int(last[0]) + 1, samples)
    started = time.perf_counter()
    report = refresh(url, mirror)
    return (time.perf_counter() - started) / full, report.rows["verdicts"]


def _fill(url: str, runs: int, samples: int) -> int:
    """Make the store unless it is there; how many verdicts it holds."""
    with psycopg.connect(url, autocommit=True) as connection:
        there = connection.execute("SELECT count(*) FROM store.verdicts").fetchone()
        assert there is not None
        if there[0]:
            return int(there[0])
        connection.execute(
            "INSERT INTO store.benchmarks (name, version, content_hash, format, source, problem_count) "
            "VALUES ('measured', 1, 'h', 'jsonl', 'none', %s)",
            [PROBLEMS],
        )
        connection.execute(
            "INSERT INTO store.problems (benchmark_id, position, key, prompt) "
            "SELECT 1, i, 'p' || i, 'prompt' FROM generate_series(0, %s) AS i",
            [PROBLEMS - 1],
        )
        connection.execute("INSERT INTO store.models (name, location, backend) VALUES ('m', 'm', 'none')")
        connection.execute("INSERT INTO store.verifiers (name, version, fingerprint) VALUES ('answer', '1', 'f')")
        _add(connection, 1, runs, samples)
        connection.execute("VACUUM ANALYZE")
        return runs * samples * PROBLEMS


def _add(connection: psycopg.Connection, first: int, last: int, samples: int) -> None:
    values = {"first": first, "last": last, "samples": samples, "size": SAMPLES_PER_BATCH, "problems": PROBLEMS}
    for statement in (_RUNS, _BATCHES, _VERDICTS):
        connection.execute(statement, values)


def _bare_copy(url: str, file: Path) -> float:
    from store.analytics.literals import quoted
    from store.analytics.source import Source

    source = Source(url, file.parent / "spill")
    try:
        started = time.perf_counter()
        copy = "COPY (SELECT * FROM pg.store.verdicts) TO"
        source.connection.execute(f"{copy} {quoted(file)} (FORMAT parquet)")
        return time.perf_counter() - started
    finally:
        source.close()


if __name__ == "__main__":
    sys.exit(main())
