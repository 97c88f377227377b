"""Rows and curves written out: what other tools read back is what the store holds, whole or not at all."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datafusion
import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from pyarrow.dataset import dataset, partitioning

from store.analytics import export as export_module
from store.analytics import open_snapshot
from store.analytics.cli import export as export_command
from store.analytics.mirror_cli import mirror as mirror_command
from store.analytics.refresh import refresh
from store.analytics.snapshot import Snapshot
from store.analytics.store_address import store_address
from store.connection import transaction
from tests.integration.own_store import own_store

PROBLEMS, SAMPLES, RUNS = 4, 30, 2

_FILL = f"""
INSERT INTO store.benchmarks (name, version, content_hash, format, source, problem_count)
    VALUES ('b', 1, 'h', 'jsonl', 's', {PROBLEMS});
INSERT INTO store.problems (benchmark_id, position, key, prompt)
    SELECT 1, i, 'p' || i, '?' FROM generate_series(0, {PROBLEMS - 1}) AS i;
INSERT INTO store.models (name, location, backend) VALUES ('m', 'm', 'none');
INSERT INTO store.verifiers (name, version, fingerprint) VALUES ('answer', '1', 'f');
INSERT INTO store.runs (name, benchmark_id, model_id, reference_verifier_id, samples_per_problem, prompt_template,
                        sampling, design, source, fingerprint)
    SELECT 'run ' || r, 1, 1, 1, {SAMPLES}, '{{prompt}}', '{{}}', 'fixed_n', 'generated', 'f' || r
    FROM generate_series(1, {RUNS}) AS r;
INSERT INTO store.batches (run_id, problem_id, verifier_id, first_index, end_index, state, row_count, done_at)
    SELECT r, p, v, 0, {SAMPLES}, 'done', {SAMPLES}, now()
    FROM generate_series(1, {RUNS}) AS r, generate_series(1, {PROBLEMS}) AS p, (VALUES (NULL::int), (1)) AS k (v);
INSERT INTO store.samples (run_id, problem_id, sample_index, batch_id, seed, completion_tokens, completion_hash)
    SELECT run_id, problem_id, i, batch_id, i, i, i FROM store.batches, generate_series(0, {SAMPLES - 1}) AS i
    WHERE verifier_id IS NULL;
INSERT INTO store.completions (run_id, problem_id, sample_index, batch_id, completion)
    SELECT run_id, problem_id, i, batch_id, 'text, "' || i || E'"\\nof ' || problem_id
    FROM store.batches, generate_series(0, {SAMPLES - 1}) AS i WHERE verifier_id IS NULL;
INSERT INTO store.verdicts (run_id, problem_id, sample_index, verifier_id, attempt, batch_id, outcome, reason, answer,
                            seconds)
    SELECT run_id, problem_id, i, 1, 0, batch_id, CASE WHEN i < problem_id THEN 'correct' ELSE 'incorrect' END,
           CASE WHEN i < problem_id THEN NULL ELSE 'wrong' END, 'a' || mod(i, 3), 0.5
    FROM store.batches, generate_series(0, {SAMPLES - 1}) AS i WHERE verifier_id IS NOT NULL
"""  # noqa: S608 - numbers of this test's own


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with own_store(tmp_path_factory.mktemp("passatk")) as settings:
        with transaction() as connection:
            for statement in _FILL.split(";\n"):
                connection.exec_driver_sql(statement)
        refresh(store_address(settings), settings.mirror)
        yield settings.mirror


def read(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".parquet":
        return pq.read_table(file).to_pylist()
    if file.suffix == ".csv":
        quoted = pacsv.ParseOptions(newlines_in_values=True)
        return pacsv.read_csv(file, parse_options=quoted).to_pylist()
    return [json.loads(line) for line in file.read_text().splitlines()]


def exported(*asked: str) -> str:
    done = CliRunner().invoke(export_command, list(asked), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("format_name", ["parquet", "csv", "jsonl"])
def test_samples_with_their_text_come_back_as_they_are(mirror: Path, tmp_path: Path, format_name: str) -> None:
    printed = exported("samples", "--text", "--format", format_name, "--to", str(tmp_path / "out"))
    assert f"{RUNS * PROBLEMS * SAMPLES:,} rows in {RUNS} files" in printed
    rows = read(tmp_path / "out" / "run=run 2" / f"samples.{format_name}")
    assert len(rows) == PROBLEMS * SAMPLES
    assert [(r["run"], r["problem"], r["sample_index"]) for r in rows] == [
        ("run 2", f"p{p}", i) for p in range(PROBLEMS) for i in range(SAMPLES)
    ]
    assert rows[31]["completion"] == 'text, "1"\nof 2'


@pytest.mark.parametrize("rows", [1, 7, 30, 31, 65])
def test_rows_come_in_the_same_order_however_few_are_read_at_a_time(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Fewer than a problem has, as many, and more."""
    exported("samples", "--text", "--format", "jsonl", "--to", str(tmp_path / "whole"))
    exported("verdicts", "--format", "jsonl", "--to", str(tmp_path / "whole verdicts"))
    read_rows, table = [], Snapshot.table

    def counted(snapshot: Snapshot, query: str, *values: Any) -> pa.Table:
        found = table(snapshot, query, *values)
        if "AS s\n" in query:
            read_rows.append(found.num_rows)
        return found

    monkeypatch.setattr(export_module, "PORTION", rows)
    monkeypatch.setattr(export_module, "TEXT_PORTION", rows)
    monkeypatch.setattr(Snapshot, "table", counted)
    exported("samples", "--text", "--format", "jsonl", "--to", str(tmp_path / "parts"))
    exported("verdicts", "--format", "jsonl", "--to", str(tmp_path / "parts verdicts"))
    for whole in ("whole", "whole verdicts"):
        for file in sorted((tmp_path / whole).rglob("*.jsonl")):
            part = tmp_path / whole.replace("whole", "parts") / file.relative_to(tmp_path / whole)
            assert part.read_bytes() == file.read_bytes()
    assert max(read_rows) <= rows
    assert sum(read_rows) == RUNS * PROBLEMS * SAMPLES


def test_verdicts_of_one_run(mirror: Path, tmp_path: Path) -> None:
    exported("verdicts", "--run", "run 1", "--to", str(tmp_path / "out"))
    (file,) = (tmp_path / "out").rglob("*.parquet")
    rows = read(file)
    assert len(rows) == PROBLEMS * SAMPLES
    assert sum(r["outcome"] == "correct" for r in rows) == 1 + 2 + 3 + 4
    assert {(r["verifier"], r["version"]) for r in rows} == {("answer", "1")}
    # The folders are named as Hive names them: engines read the run from them too.
    count = duckdb.sql(f"SELECT count(*) FROM read_parquet('{tmp_path}/out/*/*.parquet')").fetchone()  # noqa: S608
    assert count == (PROBLEMS * SAMPLES,)


def test_curves(mirror: Path, tmp_path: Path) -> None:
    exported("curves", "--format", "jsonl", "--to", str(tmp_path / "out"))
    rows = read(tmp_path / "out" / "run=run 1" / "curves.jsonl")
    assert rows[0]["coverage"] == pytest.approx(sum(range(1, PROBLEMS + 1)) / PROBLEMS / SAMPLES)
    assert rows[-1]["k"] == SAMPLES


def test_nothing_is_written_over_and_nothing_by_half(mirror: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    exported("verdicts", "--to", str(folder))
    again = CliRunner().invoke(export_command, ["verdicts", "--to", str(folder)])
    assert again.exit_code != 0
    assert "is not empty" in str(again.exception)
    wrong = CliRunner().invoke(export_command, ["verdicts", "--run", "nobody", "--to", str(tmp_path / "other")])
    assert wrong.exit_code != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    """The writing alone, in a process of its own: ten times the portions, the same memory."""
    program = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from store.analytics.export import _write
portions = (pa.table({"text": ["x" * 1000] * 20_000}) for _ in range(int(sys.argv[2])))
_write(Path(sys.argv[1]), "parquet", portions)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    held = []
    for portions in (3, 30):
        asked = [sys.executable, "-c", program, str(tmp_path / f"{portions}.parquet"), str(portions)]
        held.append(int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout))
    assert held[1] < held[0] + 150_000, held


def test_another_engine_reads_the_very_segments(mirror: Path) -> None:
    """The SQL of docs/scale.md, in Apache DataFusion over the files that the catalogue lists."""
    page = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
    text = page.split("```sql\n", 1)[1].split("```", 1)[0]
    with open_snapshot(mirror) as snapshot:
        files = [str(mirror / row["path"]) for row in snapshot.rows("SELECT path FROM mirror.segments "
                                                                    "WHERE fact = 'verdicts'")]  # fmt: skip
        names = {row["run_id"]: row["run"] for row in snapshot.rows("SELECT run_id, run FROM runs")}
        ours = snapshot.query("coverage", run=sorted(names.values()), k=[1, 2, 5, 10, 30, 31]).records()
    by_run = partitioning(pa.schema([("run_id", pa.int32())]), flavor="hive")
    context = datafusion.SessionContext()
    context.register_dataset("verdicts", dataset(files, format="parquet", partitioning=by_run))
    theirs = context.sql(text).to_pydict()
    assert len(theirs["k"]) == RUNS * 6
    for run_id, k, coverage in zip(theirs["run_id"], theirs["k"], theirs["coverage"], strict=True):
        (mine,) = (row["coverage"] for row in ours if row["run"] == names[run_id] and row["k"] == k)
        assert mine == (None if coverage is None else pytest.approx(coverage, abs=1e-12))


def test_a_refresh_keeps_the_curves_that_take_long(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refreshed(*options: str) -> str:
        return CliRunner().invoke(mirror_command, ["refresh", *options], catch_exceptions=False).output

    kept = mirror / "kept" / "majority"
    shutil.rmtree(mirror / "kept", ignore_errors=True)
    assert "Majority curves" not in refreshed("--rebuild", "--no-curves")
    assert not kept.exists()
    assert f"Majority curves of {RUNS} runs are kept." in refreshed("--rebuild")
    assert len(list(kept.iterdir())) == RUNS
    shutil.rmtree(kept)
    monkeypatch.setattr("store.analytics.mirror_cli._CURVE_SECONDS", -1.0)
    assert f"of 0 runs are kept. {RUNS} runs are left: `passatk mirror refresh --curves`" in refreshed("--rebuild")
    assert f"Majority curves of {RUNS} runs are kept." in refreshed("--curves")
    assert len(list(kept.iterdir())) == RUNS


def test_the_example_notebook_runs(mirror: Path) -> None:
    """Every code cell in order, as a kernel would run them; what a cell ends with is its output."""
    file = Path(__file__).parents[2] / "examples" / "notebook" / "coverage.ipynb"
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    shown = []
    for cell in cells:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, file.name, "exec"), names)
            if last is not None:
                shown.append(eval(compile(ast.Expression(last.value), file.name, "eval"), names))
    frames = [value for value in shown if hasattr(value, "columns")]
    assert len(frames) == 3
    assert list(frames[1].columns) == ["k", "coverage", "low", "high"]
    assert frames[1]["coverage"].iloc[-1] == 1.0
