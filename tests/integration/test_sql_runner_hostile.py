"""Analysts' SQL: what is harmless runs, what is not is refused or contained, and the mirror never changes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from store.analytics import SqlLimits, run_sql, sql_runner
from store.analytics.errors import NoSnapshot, QueryFailed, QueryRefused
from store.analytics.refresh import refresh
from store.analytics.sql_runner import sandbox
from store.analytics.store_address import store_address
from store.batches import mark_done
from store.connection import transaction
from store.samples import SampleRow, write_samples
from store.tables import batches, benchmarks, models, problems, runs, verifiers
from store.verdicts import VerdictRow, write_verdicts
from tests.integration.own_store import own_store

SECRET = "the-canary-sings"


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that no query may read from or write to."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret.csv").write_text(f"{SECRET}\n1\n")
    return folder


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with own_store(tmp_path_factory.mktemp("passatk")) as settings:
        _fill()
        refresh(store_address(settings), settings.mirror)
        yield settings.mirror


def _fill() -> None:
    with transaction() as connection:
        values = {"name": "b", "version": 1, "content_hash": "h", "format": "jsonl", "source": "b", "problem_count": 1}
        connection.execute(sa.insert(benchmarks).values(values))
        connection.execute(sa.insert(problems).values(benchmark_id=1, position=0, key="p", prompt="?"))
        connection.execute(sa.insert(models).values(name="m", location="m", backend="none"))
        connection.execute(sa.insert(verifiers).values(name="answer", version="1", fingerprint="a"))
        values = {
            "name": "r",
            "benchmark_id": 1,
            "model_id": 1,
            "reference_verifier_id": 1,
            "prompt_template": "{prompt}",
        }
        values |= {"sampling": {}, "design": "fixed_n", "source": "generated", "fingerprint": "r"}
        connection.execute(sa.insert(runs).values(values))
        batch = {"run_id": 1, "problem_id": 1, "first_index": 0, "end_index": 10}
        connection.execute(sa.insert(batches), [{**batch, "verifier_id": None}, {**batch, "verifier_id": 1}])
        mark_done(connection, write_samples(connection, [SampleRow(1, 1, i, 1, f"text {i}") for i in range(10)]))
        outcomes = ["correct" if i < 3 else "incorrect" for i in range(10)]
        rows = [VerdictRow(1, 1, i, 1, 0, 2, outcome, None, "7", None, 0.1) for i, outcome in enumerate(outcomes)]
        mark_done(connection, write_verdicts(connection, rows))


def _state(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


HARMLESS = [
    ("SELECT 1 AS one", [(1,)]),
    ("VALUES (1, 'a'), (2, 'b')", [(1, "a"), (2, "b")]),
    ("FROM analytics.runs SELECT run", [("r",)]),
    ("WITH a AS (SELECT count(*) AS n FROM verdicts) SELECT n FROM a", [(10,)]),
    ("SELECT avg(pass_at_k(n, c, 1)) FROM analytics.problem_counts", [(0.3,)]),
    ("SELECT round(analytics.pass_at_k(n, c, 2), 6) FROM problem_counts", [(0.533333,)]),
    ("SELECT sum(range) FROM range(10)", [(45,)]),
    ("SELECT completion FROM completions WHERE run_id = 1 AND problem_id = 1 AND sample_index = 3", [("text 3",)]),
    ("-- a comment; with a semicolon\nSELECT 'COPY x TO y; DROP TABLE z'", [("COPY x TO y; DROP TABLE z",)]),
    ("SELECT 1;", [(1,)]),
    ("SELECT DATE '2026-01-01', NULL, [1, 2], {'a': 1}", None),
    ("SELECT table_name FROM duckdb_tables() WHERE table_name = 'runs'", [("runs",)]),
    (
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'verdicts' AND ordinal_position = 1",
        [("run_id",)],
    ),
    ("DESCRIBE runs", None),
    ("SHOW TABLES", None),
    ("SUMMARIZE runs", None),
    ("EXPLAIN SELECT * FROM runs", None),
    ("explain analyze select count(*) from verdicts", None),
    ("EXPLAIN (FORMAT json) SELECT 1", None),
    ("EXPLAIN (ANALYZE, FORMAT json) SELECT 1", None),
    ("-- what\n/* it */ EXPLAIN ANALYZE VALUES (1)", None),
    # What a comment hides from one reader is left away for the other, too: this is EXPLAIN of a text.
    ("/* /* */ EXPLAIN SELECT $$ */ SELECT name, value FROM duckdb_settings() -- $$", None),
    ("PIVOT verdicts ON outcome IN ('correct', 'incorrect') USING count(*) GROUP BY run_id", [(1, 3, 7)]),
]


@pytest.mark.parametrize(("text", "expected"), HARMLESS, ids=[text[:40] for text, _ in HARMLESS])
def test_harmless_text_runs(mirror: Path, text: str, expected: list[tuple[object, ...]] | None) -> None:
    answer = run_sql(text, mirror)
    assert answer.cut is None
    assert answer.row_count == len(answer.rows) > 0
    assert len(answer.types) == len(answer.columns)
    if expected is not None:
        assert answer.rows == [pytest.approx(row) for row in expected]


REFUSED = [
    # more or other than one SELECT
    "",
    "   -- nothing",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE analytics.runs",
    "DELETE FROM analytics.runs",
    "UPDATE analytics.runs SET run = 'x'",
    "INSERT INTO analytics.runs SELECT * FROM analytics.runs",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "DROP SCHEMA analytics CASCADE",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "PREPARE p AS SELECT 1",
    "CALL pragma_version()",
    "PRAGMA database_list",
    "SET memory_limit = '100GB'",
    "RESET memory_limit",
    "SET lock_configuration = false",
    "USE memory",
    "EXPLAIN ANALYZE DELETE FROM analytics.runs",
    "EXPLAIN COPY (SELECT 1) TO '{outside}/x.csv'",
    "/* EXPLAIN */ EXPLAIN EXPLAIN SELECT 1",
    # comments that hide a statement from who reads them otherwise than DuckDB
    "/* a */ COPY (SELECT 1) TO '{outside}/x.csv'; /* b */ EXPLAIN SELECT 1",
    "/* a */ CREATE TABLE memory.main.t AS SELECT 1; /* b */ EXPLAIN SELECT 1",
    "/* a */ FROM duckdb_settings(); /* b */ EXPLAIN SELECT 1",
    "--\rCREATE TABLE memory.main.t AS SELECT 1;\nEXPLAIN SELECT 1",
    "EXPLAIN (ANALYZE /* ) SELECT $$ */) CREATE TABLE memory.main.t AS SELECT 1 --$$",
    "EXPLAIN (FORMAT json) CREATE TABLE memory.main.t AS SELECT 1",
    "EXPLAIN ANALYZE (FROM duckdb_settings())",
    # files
    "COPY (SELECT 1) TO '{outside}/x.csv'",
    "COPY analytics.runs FROM '{outside}/secret.csv'",
    "EXPORT DATABASE '{outside}/x'",
    "IMPORT DATABASE '{outside}'",
    "ATTACH '{outside}/x.duckdb'",
    "ATTACH 'host=localhost' AS pg (TYPE postgres)",
    "INSTALL httpfs",
    "LOAD postgres_scanner",
    "CREATE SECRET s (TYPE s3)",
    "SELECT * FROM read_csv('{outside}/secret.csv')",
    "SELECT * FROM read_text('{outside}/secret.csv')",
    "SELECT * FROM \"read_text\"('{outside}/secret.csv')",
    "SELECT * FROM READ_BLOB('{outside}/secret.csv')",
    "SELECT * FROM read_json('{outside}/secret.csv')",
    "SELECT * FROM read_parquet('{mirror}/segments/**/*.parquet')",
    "SELECT * FROM parquet_scan('{mirror}/catalogue.duckdb')",
    "SELECT * FROM parquet_metadata('{mirror}/segments/verdicts/x.parquet')",
    "SELECT * FROM read_duckdb('{mirror}/catalogue.duckdb')",
    "SELECT * FROM glob('{outside}/*')",
    "SELECT * FROM sniff_csv('{outside}/secret.csv')",
    "SELECT (SELECT content FROM read_text('{outside}/secret.csv'))",
    "WITH a AS (SELECT * FROM read_text('{outside}/secret.csv')) SELECT * FROM a",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM read_text('{outside}/secret.csv'))",
    "SELECT * FROM runs UNION ALL SELECT * FROM read_text('{outside}/secret.csv')",
    "EXPLAIN SELECT * FROM read_text('{outside}/secret.csv')",
    "DESCRIBE SELECT * FROM read_csv('{outside}/secret.csv')",
    "SUMMARIZE SELECT * FROM read_csv('{outside}/secret.csv')",
    "PIVOT (FROM read_text('{outside}/secret.csv')) ON size IN (1) USING count(*)",
    "UNPIVOT (FROM read_text('{outside}/secret.csv')) ON size INTO NAME a VALUE b",
    "FROM (SUMMARIZE FROM read_text('{outside}/secret.csv'))",
    "SELECT * FROM runs, LATERAL (SELECT * FROM read_text('{outside}/secret.csv')) AS t",
    "SELECT * FROM runs, LATERAL read_text(run)",
    "SELECT [x FOR x IN (SELECT content FROM read_text('{outside}/secret.csv'))]",
    "SELECT * REPLACE ((SELECT content FROM read_text('{outside}/secret.csv')) AS run) FROM runs",
    "SELECT * FROM runs LIMIT (SELECT size FROM read_text('{outside}/secret.csv'))",
    "SELECT * FROM runs ORDER BY (SELECT size FROM read_text('{outside}/secret.csv'))",
    "SELECT * FROM runs QUALIFY row_number() OVER (ORDER BY (SELECT size FROM read_text('{outside}/secret.csv'))) = 1",
    "SELECT sum(1) FILTER (WHERE (SELECT true FROM read_text('{outside}/secret.csv'))) FROM runs",
    "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT size FROM read_text('{outside}/secret.csv')) FROM t",
    "WITH a AS MATERIALIZED (FROM read_blob('{outside}/secret.csv')) FROM a",
    "FROM system.main.read_text('{outside}/secret.csv')",
    "FROM read_text('/proc/self/environ')",
    "FROM read_xlsx('{outside}/secret.csv')",
    "FROM parquet_schema('{outside}/secret.csv')",
    "FROM arrow_scan(1, 2, 3)",
    "FROM python_map_function(1)",
    "FROM pragma_storage_info('runs')",
    "FROM pragma_database_size()",
    "FROM duckdb_databases()",
    "FROM duckdb_memory()",
    "FROM test_all_types()",
    # other databases, other text, other state
    "SELECT * FROM postgres_scan('host=localhost', 'public', 'x')",
    "SELECT * FROM postgres_query('pg', 'SELECT 1')",
    "SELECT * FROM query('SELECT * FROM read_text(''{outside}/secret.csv'')')",
    "SELECT * FROM query_table('runs')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT json_serialize_plan('SELECT * FROM read_text(''{outside}/secret.csv'')')",
    "SELECT * FROM enable_logging(storage = 'file', storage_config = {{'path': '{outside}/log'}})",
    "CALL enable_logging(storage = 'file', storage_config = {{'path': '{outside}/log'}})",
    "SELECT * FROM enable_profiling(save_location = '{outside}/profile')",
    "SELECT * FROM disable_logging()",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM which_secret('x', 's3')",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM force_checkpoint()",
    "SELECT write_log('x')",
    "SELECT sleep_ms(100000)",
    "SELECT pg_sleep(100)",
    "SELECT current_setting('temp_directory')",
    "SELECT pg_catalog.current_setting('threads')",
    "SELECT list_transform(['threads'], lambda x: current_setting(x))",
    "SELECT ['threads'].list_transform(lambda x: x.current_setting())",
    'SELECT run FROM runs WHERE "sleep_ms"(5000) IS NULL',
    "EXECUTE p",
    "PREPARE p AS SELECT 1; EXECUTE p",
    "EXPLAIN EXECUTE p",
    "DETACH passatk",
    "CREATE SEQUENCE s",
    "CREATE OR REPLACE VIEW runs AS SELECT 1",
    "MERGE INTO runs USING (SELECT 1) AS x ON true WHEN MATCHED THEN DELETE",
    "COPY FROM DATABASE passatk TO memory",
    "UPDATE EXTENSIONS",
    "SET VARIABLE a = 1",
    "PRAGMA enable_profiling",
    "SELECT 1 INTO x",
    "SELECT 1 FOR UPDATE",
    "SELECT getenv('HOME')",
    "PIVOT verdicts ON outcome",
    "SELECT 'x\0'",
]


@pytest.mark.parametrize("text", REFUSED, ids=[text[:50].replace("\0", "NUL") for text in REFUSED])
def test_hostile_text_is_refused(mirror: Path, outside: Path, text: str) -> None:
    before = _state(mirror), _state(outside)
    filled = (
        text.replace("{outside}", str(outside)).replace("{mirror}", str(mirror)).replace("{{", "{").replace("}}", "}")
    )
    with pytest.raises(QueryRefused) as refusal:
        run_sql(filled, mirror)
    assert SECRET not in str(refusal.value)
    assert (_state(mirror), _state(outside)) == before


FAILING = [
    ("SELECT * FROM nowhere", "does not exist"),
    ("SELECT nothing FROM runs", "nothing"),
    ("SELECT * FROM '{outside}/secret.csv'", "does not exist|disabled|Permission"),
    ("FROM '{outside}/secret.csv'", "does not exist|disabled|Permission"),
    ('SELECT * FROM "{outside}/secret.csv"', "does not exist|disabled|Permission"),
    ("SELECT * FROM '{mirror}/writer.lock'", "does not exist|disabled|Permission"),
    ("SELECT * FROM 'https://example.org/x.csv'", "does not exist|disabled|Permission"),
    ("SELECT * FROM histogram('{outside}/secret.csv', a)", "disabled|Permission"),
    ("SELECT * FROM summary((FROM '{outside}/secret.csv'))", "disabled|Permission"),
    ("FROM (DESCRIBE '{outside}/secret.csv')", "disabled|Permission"),
    ("SELECT * FROM '/proc/self/environ'", "does not exist"),
    ("FROM 'file:///etc/passwd'", "does not exist"),
    ("FROM 's3://bucket/y.parquet'", "disabled|Permission"),
    ("SELECT query('SELECT 1')", "table function"),
    # The comment ends where DuckDB ends it, and what stands behind its end never runs.
    ("SELECT 'one' AS x /* /* */ EXPLAIN SELECT $$ */ FROM duckdb_settings() -- $$", "duckdb_settings"),
    ("SELECT * FROM secret_df", "does not exist"),
    ("SELECT nextval('s')", "may not be used|does not exist"),
    ("SELECT $1", "."),
    ("SELECT 1 / 'x'", "."),
    ("SELECT error('no')", "no"),
]


@pytest.mark.parametrize(("text", "message"), FAILING, ids=[text[:50] for text, _ in FAILING])
def test_failing_text_says_why(mirror: Path, outside: Path, text: str, message: str) -> None:
    filled = text.format(outside=outside, mirror=mirror)
    with pytest.raises((QueryFailed, QueryRefused), match=message) as failure:
        run_sql(filled, mirror)
    assert SECRET not in str(failure.value)
    assert "ended its process" not in str(failure.value)


GREEDY = [
    "SELECT levenshtein(repeat('a', 150000), repeat('b', 150000))",
    "SELECT damerau_levenshtein(repeat('a', 100000), repeat('b', 100000))",
    "SELECT list_sort(range(300000000))",
    "SELECT list_reduce(range(100000000), lambda x, y: x + y)",
    "SELECT length(repeat('x', 3000000000))",
    "SELECT length(rpad('x', 2000000000, 'y'))",
    "SELECT repeat('x', 5000000) FROM range(1001)",
    "SELECT array_agg(range) FROM range(1000000000)",
    "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range % 7 = b.range % 11",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    "SELECT * FROM range(100000000) ORDER BY hash(range)",
    "SELECT " + " + ".join(["1"] * 20000),
    " UNION ALL ".join(["SELECT 1"] * 6000),
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT regexp_matches(repeat('a', 10000000), '(a|aa|aaa)*b')",
    "SELECT string_agg(repeat('x', 100000), '') FROM range(100000)",
]


@pytest.mark.parametrize("text", GREEDY, ids=[text[:50] for text in GREEDY])
def test_greedy_text_is_stopped(mirror: Path, text: str) -> None:
    """Whatever it does inside its process, an answer or an error is there soon after the deadline."""
    before = _state(mirror)
    started = time.monotonic()
    limits = SqlLimits(seconds=1)
    try:
        answer = run_sql(text, mirror, limits)
    except (QueryFailed, QueryRefused) as failure:
        stopped: str | None = str(failure)
    else:
        stopped = None
        assert answer.row_count <= limits.rows
        assert answer.table.nbytes <= 1.1 * limits.bytes
    assert stopped != ""
    assert time.monotonic() - started < limits.seconds + 15
    assert _state(mirror) == before


class _FakeFault:
    """In the place of the sandbox: DuckDB's own fault, which comes once in hundreds of runs, the first times."""

    def __init__(self, times: int) -> None:
        self.left, self.started = times, 0

    def __call__(self) -> subprocess.Popen[bytes]:
        self.started += 1
        if not self.left:
            return sandbox()
        self.left -= 1
        report = json.dumps({"error": "INTERNAL Error: a vector of another size", "fault": True})
        written = f"import sys; sys.stdin.read(); sys.stderr.write('started\\n' + {report!r} + '\\n')"
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", written], stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("times", [1, 2])
def test_a_fault_in_duckdb_is_tried_once_more(mirror: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    faulty = _FakeFault(times)
    monkeypatch.setattr(sql_runner, "sandbox", faulty)
    if times == 1:
        assert run_sql("SELECT count(*) OVER () FROM verdicts LIMIT 1", mirror).rows == [(10,)]
    else:
        with pytest.raises(QueryFailed, match="INTERNAL Error"):
            run_sql("SELECT 1", mirror)
    assert faulty.started == 2


def test_other_failures_are_not_tried_again(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = _FakeFault(0)
    monkeypatch.setattr(sql_runner, "sandbox", counted)
    with pytest.raises(QueryFailed, match="no_such_column"):
        run_sql("SELECT no_such_column FROM verdicts", mirror)
    assert counted.started == 1


def test_moments_beyond_the_calendar_are_texts(mirror: Path) -> None:
    moments = "TIMESTAMP 'infinity', DATE '-infinity', DATE '290000-01-01', [DATE 'infinity'], DATE '2026-01-02'"
    (row,) = run_sql(f"SELECT {moments}, NULL", mirror).rows
    assert row[:2] == ("infinity", "-infinity")
    assert row[2] == "beyond the calendar: 105200797 date32[day]"
    assert row[3:] == (["infinity"], date(2026, 1, 2), None)


def test_values_that_arrow_lacks_are_texts(mirror: Path) -> None:
    """DuckDB ends the process over a VARIANT, and hands on others as numbers and times that they are not."""
    expected = {
        "1::VARIANT": "1",
        "[1::VARIANT, 'a'::VARIANT]": "[1, a]",
        "340282366920938463463374607431768211455::UHUGEINT": "340282366920938463463374607431768211455",
        "170141183460469231731687303715884105727::HUGEINT": Decimal("170141183460469231731687303715884105727"),
        "'10:00:00+05:30'::TIMETZ": "10:00:00+05:30",
        "{'at': ['10:00:00-02'::TIMETZ]}": "{'at': ['10:00:00-02']}",
        "TIME_NS '10:00:00.123456789'": "10:00:00.123456789",
        "INTERVAL '1 month 3 s'": "1 month 00:00:03",
        "'101'::BIT": "101",
        "row(1, 2)": "(1, 2)",
        "{'a': 1}": {"a": 1},
        "'b'::ENUM ('a', 'b')": "b",
    }
    columns = ", ".join(f'{text} AS "a ""column"""' for text in expected)
    answer = run_sql(f"SELECT {columns}; -- the end", mirror)
    assert answer.rows == [tuple(expected.values())]
    assert set(answer.columns) == {'a "column"'}
    assert answer.types[0] == "VARIANT"
    falling = run_sql("SELECT range::VARIANT AS x FROM range(20000) ORDER BY range DESC", mirror)
    assert [row[0] for row in falling.rows] == [str(i) for i in range(19_999, 9_999, -1)]
    assert falling.cut == "Cut at 10,000 rows."


def test_cut_rows_are_announced(mirror: Path) -> None:
    answer = run_sql("SELECT * FROM range(1000000000000)", mirror)
    assert answer.row_count == len(answer.rows) == 10_000
    assert answer.cut == "Cut at 10,000 rows."
    exact = run_sql("SELECT * FROM range(10000)", mirror)
    assert (exact.row_count, exact.cut) == (10_000, None)


def test_cut_bytes_are_announced(mirror: Path) -> None:
    answer = run_sql("SELECT repeat('x', 10000) AS x FROM range(9000)", mirror)
    assert answer.cut == "Cut at 32 MB."
    assert 0 < answer.row_count < 4000
    assert answer.table.nbytes < 33_000_000


def test_a_reader_can_stop_a_query(mirror: Path) -> None:
    stop = threading.Event()
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    started = time.monotonic()
    with pytest.raises(QueryFailed, match=r"Stopped\."):
        run_sql("SELECT count(*) FROM range(100000000000) AS t WHERE hash(range) = 0", mirror, stop=stop)
    assert time.monotonic() - started < 10
    timer.join()


def test_the_environment_of_the_caller_is_not_there(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_SECRET_FOR_TEST", SECRET)
    answer = run_sql("SELECT * FROM duckdb_schemas()", mirror)
    assert SECRET not in str(answer.rows)
    assert os.environ["PASSATK_SECRET_FOR_TEST"] == SECRET


def test_a_comment_hides_nothing_that_runs(mirror: Path) -> None:
    hidden = "/* /* */ EXPLAIN SELECT $$ */ SELECT name, value FROM duckdb_settings() -- $$"
    assert run_sql(hidden, mirror).columns == ("explain_key", "explain_value")


def test_comments_without_end_are_read_at_once(mirror: Path) -> None:
    started = time.monotonic()
    assert run_sql("/**/" * 1_000 + "SELECT 1", mirror).rows == [(1,)]
    assert run_sql("-- a -- b\n" * 9_000 + "SELECT 1", mirror).rows == [(1,)]
    assert time.monotonic() - started < 20


def test_an_empty_mirror_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(NoSnapshot, match="run `passatk mirror refresh`"):
        run_sql("SELECT 1", tmp_path)


def test_a_text_too_long_is_refused(mirror: Path) -> None:
    with pytest.raises(QueryRefused, match="more than 100,000 bytes"):
        run_sql("SELECT 1 --" + "x" * 100_001, mirror)
