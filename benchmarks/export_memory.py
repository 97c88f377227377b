"""Export a run and one ten times as large, texts and all, and print the peak memory of both beside that of one query.

    python benchmarks/export_memory.py [--samples 2000]

The two runs have 100 problems with so many samples each and a tenth of them, of some 2,000 characters; a store of their
own is made in a temporary folder and removed. For comparison the rows of the large run are also fetched whole, by one
query, and written at once. Every measure is taken in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from peak_memory import peak_memory

PROBLEMS = 100
RUNS = {"small": 0.1, "large": 1.0}
FORMATS = ("parquet", "csv", "jsonl")

_STORE = (
    "INSERT INTO store.benchmarks (name, version, content_hash, format, source, problem_count) "
    "VALUES ('measured', 1, 'h', 'jsonl', 'none', {problems})",
    "INSERT INTO store.problems (benchmark_id, position, key, prompt) "
    "SELECT 1, i, 'p' || i, 'prompt' FROM generate_series(0, {problems} - 1) AS i",
    "INSERT INTO store.models (name, location, backend) VALUES ('m', 'm', 'none')",
    "INSERT INTO store.verifiers (name, version, fingerprint) VALUES ('answer', '1', 'f')",
)
_RUN = (
    "INSERT INTO store.runs (name, benchmark_id, model_id, reference_verifier_id, samples_per_problem, "
    "prompt_template, sampling, design, source, fingerprint) "
    "VALUES ('{name}', 1, 1, 1, {samples}, '{{prompt}}', '{{}}', 'fixed_n', 'generated', '{name}')",
    "INSERT INTO store.batches (run_id, problem_id, first_index, end_index, state, row_count, done_at) "
    "SELECT (SELECT max(run_id) FROM store.runs), p, 0, {samples}, 'done', {samples}, now() "
    "FROM generate_series(1, {problems}) AS p",
    "INSERT INTO store.samples (run_id, problem_id, sample_index, batch_id, completion_tokens, completion_hash) "
    "SELECT run_id, problem_id, i, batch_id, 500, hashint8(batch_id * 100003 + i) FROM store.batches, "
    "generate_series(0, end_index - 1) AS i WHERE run_id = (SELECT max(run_id) FROM store.runs)",
    "INSERT INTO store.completions (run_id, problem_id, sample_index, batch_id, completion) "
    "SELECT run_id, problem_id, sample_index, batch_id, (SELECT string_agg(md5(completion_hash::text || w), ' ') "
    "FROM generate_series(1, 60) AS w) FROM store.samples WHERE run_id = (SELECT max(run_id) FROM store.runs)",
)


def main() -> None:
    """Print the peak memory of each export, and of the one query."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000, help="samples per problem of the large run")
    parser.add_argument("--child", nargs=3, metavar=("HOW", "RUN", "FORMAT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _child(*arguments.child)
        return
    home = Path(tempfile.mkdtemp(prefix="passatk-export-"))
    home.chmod(0o755)
    os.environ["PASSATK_HOME"] = str(home / "home")
    os.environ.pop("PASSATK_DATABASE_URL", None)
    try:
        _make(arguments.samples)
        for format_name in FORMATS:
            for run in RUNS:
                _print("passatk export", run, format_name)
        _print("one query", "large", "parquet")
    finally:
        from store import embedded

        embedded.stop(home / "home")
        shutil.rmtree(home, ignore_errors=True)


def _make(samples: int) -> None:
    from store import schema
    from store.analytics.refresh import refresh
    from store.connection import database_url
    from store.settings import StoreSettings

    schema.upgrade()
    with psycopg.connect(database_url(), autocommit=True) as connection:
        for statement in _STORE:
            connection.execute(statement.format(problems=PROBLEMS).encode())
        for name, share in RUNS.items():
            for statement in _RUN:
                values = {"name": name, "problems": PROBLEMS, "samples": max(1, round(samples * share))}
                connection.execute(statement.format(**values).encode())
    refresh(database_url(), StoreSettings.from_environment().mirror)


def _print(how: str, run: str, format_name: str) -> None:
    command = [sys.executable, __file__, "--child", how, run, format_name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(f"{how:<16}{run:<8}{format_name:<9}{done.stdout.strip()}", flush=True)


def _child(how: str, run: str, format_name: str) -> None:
    """Write a run's samples in this process and print what was written, the seconds and the most memory it held."""
    from store.analytics import open_snapshot
    from store.analytics.export import export

    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=os.environ["PASSATK_HOME"]) as made, open_snapshot() as snapshot:
        folder = Path(made) / "out"
        if how == "one query":
            import pyarrow.parquet as pq

            folder.mkdir()
            joined = "samples JOIN completions USING (run_id, problem_id, sample_index) JOIN runs USING (run_id)"
            whole = snapshot.table(f"SELECT * FROM {joined} WHERE run = '{run}'")  # noqa: S608 - this script's own
            pq.write_table(whole, folder / "samples.parquet", compression="zstd")
            rows = whole.num_rows
        else:
            rows = export(snapshot, "samples", folder, format_name, [run], text=True).rows  # type: ignore[arg-type]
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    seconds = time.perf_counter() - began
    written = f"{rows:>9,} samples, {size / 1e6:6,.0f} MB written in {seconds:5.1f} s"
    print(f"{written}, peak memory {peak_memory() / 1e6:5,.0f} MB")


if __name__ == "__main__":
    main()
