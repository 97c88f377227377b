"""How fast the mirror follows the store: a refresh beside a bare COPY of the same rows, and beside a small top-up.

    python benchmarks/mirror_refresh.py [--verdicts 30000000] [--repeats 2] [--keep FOLDER]

Makes a store of its own with that many verdicts, in batches of 100, on the embedded server. Limits: a full refresh runs
at 0.7 or more of the rate of `COPY (SELECT * FROM pg.store.verdicts) TO parquet` through the same extension, and after
1 % more rows, of a new run or of all runs, a refresh takes less than 3 % of the time of the full one. Wall time
decides; processor time, of this process and PostgreSQL's, is printed beside it: it tells more on a shared machine. A
refresh has a fixed cost of 0.2 s or so, which weighs more the smaller the store is. In a store the rows of an earlier
refresh are minutes old, and autovacuum has noted where they lie: here, where one second brings what engines draw in
minutes, it comes by every second and is waited for before more rows are added; those that are added it has not seen.
30 M verdicts take some 12 minutes and 10 GB of disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
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
SELECT r, p, 1, %(start)s + b * %(size)s, %(start)s + (b + 1) * %(size)s, 'done', %(size)s, now()
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
WHERE run_id BETWEEN %(first)s AND %(last)s AND first_index >= %(start)s
ORDER BY batch_id, i
"""


def main() -> int:
    """Print every measure beside its limit; exit status 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=30_000_000)
    parser.add_argument("--repeats", type=int, default=2, help="turns; every time is a median")
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
    url, mirror = database_url(), folder / "measured"
    _let_autovacuum_hurry(url)
    rows = _fill(url, max(1, verdicts // 1_000_000), min(verdicts, 1_000_000) // PROBLEMS)
    turns: dict[str, list[Spent]] = {"bare": [], "full": [], "nothing": [], **{what: [] for what in _MORE}}
    for _ in range(repeats):  # in turns, so that a noisy machine disturbs all alike
        turns["bare"].append(_spent(folder, lambda: _bare_copy(url, folder / "bare.parquet")))
        shutil.rmtree(mirror, ignore_errors=True)
        turns["full"].append(_spent(folder, lambda: refresh(url, mirror)))
        turns["nothing"] += [_spent(folder, lambda: refresh(url, mirror)) for _ in range(_TOP_UPS)]
        for what, add in _MORE.items():
            for _ in range(_TOP_UPS):
                _wait_for_autovacuum(url)
                add(url, rows)
                turns[what].append(_spent(folder, lambda: refresh(url, mirror)))
    with psycopg.connect(url, autocommit=True) as connection:
        stored = _number(connection, "SELECT count(*) FROM store.verdicts")
    with duckdb.connect(str(mirror / "catalogue.duckdb"), read_only=True) as client:
        assert client.execute("SELECT count(*) FROM analytics.verdicts").fetchone() == (stored,)
    return _print(turns, rows)


@dataclass(frozen=True)
class Spent:
    """Seconds of wall time, and of processor time in this process and PostgreSQL's."""

    wall: float
    processor: float


def _spent(folder: Path, work: Callable[[], object]) -> Spent:
    wall, processor = time.perf_counter(), time.process_time() + _postgres_seconds(folder)
    work()
    wall = time.perf_counter() - wall
    return Spent(wall, time.process_time() + _postgres_seconds(folder) - processor)


def _postgres_seconds(folder: Path) -> float:
    """Processor time of the embedded server's processes, those that have ended included; in ticks, mostly of 10 ms."""
    server = (folder / "postgres" / "postmaster.pid").read_text(encoding="utf-8").split()[0]
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if server in (stat.parent.name, fields[1]):  # its children that ended are counted in the server's own fields
            ticks += sum(map(int, fields[11:15] if stat.parent.name == server else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _print(turns: dict[str, list[Spent]], rows: int) -> int:
    middle = {
        name: Spent(statistics.median(one.wall for one in spent), statistics.median(one.processor for one in spent))
        for name, spent in turns.items()
    }
    full, more = middle["full"], rows // 100
    print(f"{rows:,} verdicts and more; medians of {len(turns['full'])} ({len(turns['nothing'])} small refreshes)")
    print(f"{'':<44}{'wall':>9}{'processor':>12}{'share of full: wall, processor':>34}")
    for name, said in (
        ("bare", "bare COPY through the extension"),
        ("full", "full refresh"),
        ("nothing", "refresh of nothing new"),
        *((what, f"refresh of {more:,} more rows of {what}") for what in _MORE),
    ):
        spent = middle[name]
        shares = f"{spent.wall / full.wall:>24.2%}{spent.processor / full.processor:>10.2%}"
        print(f"{said:<44}{spent.wall:7.2f} s{spent.processor:10.2f} s{'' if name in ('bare', 'full') else shares}")
    rate = middle["bare"].wall / full.wall
    kept = [rate >= RATE_LIMIT]
    print(f"full refresh: {rate:.2f} of the rate of the bare COPY, at least {RATE_LIMIT}: {_word(kept[0])}")
    for what in _MORE:
        share = middle[what].wall / full.wall
        kept.append(share < TOP_UP_LIMIT)
        print(f"1 % more rows of {what}: {share:.2%} of a full refresh, under {TOP_UP_LIMIT:.0%}: {_word(kept[-1])}")
    return 0 if all(kept) else 1


def _word(kept: bool) -> str:
    return "kept" if kept else "MISSED"


def _add_run(url: str, stored: int) -> None:
    """A run of 1 % of the rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        run = _number(connection, "SELECT max(run_id) + 1 FROM store.runs")
        size = SAMPLES_PER_BATCH
        _add(connection, run, run, max(size, stored // 100 // PROBLEMS // size * size))


def _add_to_all(url: str, stored: int) -> None:
    """1 % more rows, as more samples of every problem of the first runs, a batch each."""
    with psycopg.connect(url, autocommit=True) as connection:
        runs = max(1, stored // 100 // PROBLEMS // SAMPLES_PER_BATCH)
        start = _number(connection, "SELECT max(end_index) FROM store.batches")
        _add(connection, 1, runs, SAMPLES_PER_BATCH, start)


def _let_autovacuum_hurry(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        connection.execute("SELECT pg_reload_conf()")


def _wait_for_autovacuum(url: str, longest: float = 60.0) -> None:
    """Until few rows lie in pages that the index on the batch knows nothing of, and no autovacuum is at work."""
    unknown = "EXPLAIN (ANALYZE, FORMAT json) SELECT FROM store.verdicts WHERE batch_id < 0"
    working = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
    until = time.monotonic() + longest
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < until:
            row = connection.execute(unknown).fetchone()
            assert row is not None
            read = row[0][0]["Plan"].get("Rows Removed by Index Recheck", 0)
            if read < 50_000 and not _number(connection, working):
                return
            time.sleep(0.5)
    print("Autovacuum did not come by: rows of earlier top-ups are read once more with those of the next.")


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


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


def _add(connection: psycopg.Connection, first: int, last: int, samples: int, start: int = 0) -> None:
    values = {"first": first, "last": last, "samples": samples, "size": SAMPLES_PER_BATCH, "problems": PROBLEMS}
    for statement in (_RUNS, _BATCHES, _VERDICTS) if start == 0 else (_BATCHES, _VERDICTS):
        connection.execute(statement, values | {"start": start})


def _bare_copy(url: str, file: Path) -> None:
    from store.analytics.literals import quoted
    from store.analytics.source import Source

    source = Source(url, file.parent / "spill")
    try:
        source.use_all_cores()
        copy = "COPY (SELECT * FROM pg.store.verdicts) TO"
        source.connection.execute(f"{copy} {quoted(file)} (FORMAT parquet)")
    finally:
        source.close()


#: Ways in which 1 % more rows come; and how many small refreshes of each are measured in a turn.
_MORE = {"a new run": _add_run, "all runs": _add_to_all}
_TOP_UPS = 3


if __name__ == "__main__":
    sys.exit(main())
