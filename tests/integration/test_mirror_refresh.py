"""The mirror against a real store: incremental, complete under commits out of order, whole after any kill."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from store.analytics import open_snapshot
from store.analytics.compact import compact
from store.analytics.contract import Fact
from store.analytics.errors import ForeignMirror, MirrorBusy, MirrorDamaged, NoSnapshot, SourceUnreachable
from store.analytics.mirror_lock import writing
from store.analytics.refresh import refresh
from store.analytics.segments import Segment, write_partitioned
from store.analytics.source import Source
from store.analytics.store_address import store_address
from store.analytics.verify import verify
from store.batches import mark_done
from store.connection import engine, transaction
from store.samples import SampleRow, write_samples
from store.settings import StoreSettings
from store.tables import batches, benchmarks, models, problems, runs, verifiers
from store.verdicts import VerdictRow, write_verdicts
from tests.integration.own_store import own_store

PROBLEMS = 3
FACTS = ("samples", "completions", "verdicts", "verifier_outputs")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("passatk")
    with own_store(folder):
        yield folder


@pytest.fixture
def url(home: Path) -> str:
    """The address of a store with one benchmark, one model, one verifier, one run and nothing drawn."""
    with transaction() as connection:
        connection.exec_driver_sql(
            "TRUNCATE store.samples, store.completions, store.verdicts, store.verifier_outputs, store.run_verifiers, "
            "store.prompts, store.sample_logprobs, store.imports, store.sample_sources, store.generated_tests, "
            "store.workers, "
            "store.test_outcomes, store.step_scores, store.verdict_costs, store.preferences, store.stage_costs, "
            "store.batches, store.runs, store.prices, store.models, store.verifiers, store.problems, store.benchmarks "
            "RESTART IDENTITY CASCADE"
        )
        connection.execute(
            sa.insert(benchmarks).values(
                name="b", version=1, content_hash="h", format="jsonl", source="b.jsonl", problem_count=PROBLEMS
            )
        )
        connection.execute(
            sa.insert(problems),
            [{"benchmark_id": 1, "position": i, "key": f"p{i}", "prompt": f"{i}?"} for i in range(PROBLEMS)],
        )
        connection.execute(sa.insert(models).values(name="m", location="m", backend="none"))
        connection.execute(sa.insert(verifiers).values(name="answer", version="1", fingerprint="a"))
        new_run(connection, "first")
    return store_address(StoreSettings.from_environment())


def new_run(connection: sa.Connection, name: str) -> int:
    values = {
        "name": name,
        "benchmark_id": 1,
        "model_id": 1,
        "reference_verifier_id": 1,
        "prompt_template": "{prompt}",
        "sampling": {"temperature": 0.5},
        "design": "fixed_n",
        "source": "generated",
        "fingerprint": name,
    }
    return int(connection.execute(sa.insert(runs).values(values).returning(runs.c.run_id)).scalar_one())


def open_batch(
    connection: sa.Connection, run_id: int, problem_id: int, first: int, end: int, verifier: int | None
) -> int:
    values = {
        "run_id": run_id,
        "problem_id": problem_id,
        "verifier_id": verifier,
        "first_index": first,
        "end_index": end,
    }
    return int(connection.execute(sa.insert(batches).values(values).returning(batches.c.batch_id)).scalar_one())


def draw(connection: sa.Connection, batch: int, run_id: int, problem_id: int, indexes: range) -> None:
    rows = [SampleRow(run_id, problem_id, i, batch, f"text {i} of {problem_id}\n") for i in indexes]
    mark_done(connection, write_samples(connection, rows))


def judge(
    connection: sa.Connection, batch: int, run_id: int, problem_id: int, indexes: range, right: int, attempt: int = 0
) -> None:
    rows = [
        VerdictRow(
            run_id,
            problem_id,
            i,
            1,
            attempt,
            batch,
            "correct" if i < right else "incorrect",
            None if i < right else "wrong answer",
            "7" if i < right else str(i % 3),
            None,
            0.125,
            {"got": i},
        )
        for i in indexes
    ]
    mark_done(connection, write_verdicts(connection, rows))


def fill(run_id: int, indexes: range, right: int = 2) -> None:
    """Draw and judge an index range of every problem, each in a batch and a transaction of its own."""
    for problem_id in range(1, PROBLEMS + 1):
        for verifier in (None, 1):
            with transaction() as connection:
                batch = open_batch(connection, run_id, problem_id, indexes.start, indexes.stop, verifier)
                if verifier is None:
                    draw(connection, batch, run_id, problem_id, indexes)
                else:
                    judge(connection, batch, run_id, problem_id, indexes, right)


def assert_same_as_store(mirror: Path) -> None:
    """Every row and every tally of the mirror equals the store's."""
    with transaction() as connection, open_snapshot(mirror) as snapshot:
        for view in (*FACTS, "problem_counts", "batches", "runs", "problems"):
            stored = {tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM analytics.{view}")}  # noqa: S608
            count = connection.exec_driver_sql(f"SELECT count(*) FROM analytics.{view}").scalar_one()  # noqa: S608
            mirrored = [tuple(row.values()) for row in snapshot.rows(f"SELECT * FROM {view}")]  # noqa: S608
            assert len(mirrored) == count, view
            assert set(mirrored) == stored, view


def test_the_mirror_holds_what_the_store_holds(url: str, tmp_path: Path) -> None:
    fill(1, range(10))
    report = refresh(url, tmp_path)
    assert report.changed
    assert report.new_batches == 2 * PROBLEMS
    assert report.rows == dict.fromkeys(FACTS, 10 * PROBLEMS)
    assert_same_as_store(tmp_path)


def test_an_empty_store_can_be_mirrored(url: str, tmp_path: Path) -> None:
    assert refresh(url, tmp_path).changed
    assert_same_as_store(tmp_path)


def test_a_second_refresh_pulls_only_what_is_new(url: str, tmp_path: Path) -> None:
    fill(1, range(10))
    first = refresh(url, tmp_path)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    fill(1, range(10, 12))
    second = refresh(url, tmp_path)
    assert second.rows == dict.fromkeys(FACTS, 2 * PROBLEMS)
    assert second.snapshot_id != first.snapshot_id
    assert all(file.stat().st_mtime_ns == written for file, written in before.items()), "an old segment was touched"
    assert_same_as_store(tmp_path)


def test_nothing_new_keeps_the_snapshot_and_says_when_it_was_known_true(url: str, tmp_path: Path) -> None:
    fill(1, range(4))
    first = refresh(url, tmp_path)
    second = refresh(url, tmp_path)
    assert not second.changed
    assert second.snapshot_id == first.snapshot_id
    assert second.taken_at > first.taken_at
    with open_snapshot(tmp_path) as snapshot:
        assert snapshot.taken_at == second.taken_at
    assert_same_as_store(tmp_path)


def test_a_change_without_new_rows_is_mirrored(url: str, tmp_path: Path) -> None:
    refresh(url, tmp_path)
    with transaction() as connection:
        connection.execute(sa.update(runs).values(state="paused"))
    assert refresh(url, tmp_path).changed
    assert_same_as_store(tmp_path)


def test_a_batch_committed_late_is_not_skipped(url: str, tmp_path: Path) -> None:
    """A high-water mark on the batch's key would skip it: the batch with the lower key is committed later."""
    slow, quick = engine().connect(), engine().connect()
    try:
        early = open_batch(slow, 1, 1, 0, 5, None)
        draw(slow, early, 1, 1, range(5))
        late = open_batch(quick, 1, 2, 0, 5, None)
        draw(quick, late, 1, 2, range(5))
        quick.commit()
        assert early < late
        refresh(url, tmp_path)
        with open_snapshot(tmp_path) as snapshot:
            high_water = snapshot.rows("SELECT max(batch_id) AS mark FROM batches WHERE state = 'done'")[0]["mark"]
            assert {row["batch_id"] for row in snapshot.rows("SELECT DISTINCT batch_id FROM samples")} == {late}
        slow.commit()
    finally:
        slow.close()
        quick.close()
    with transaction() as connection:
        query = sa.text("SELECT count(*) FROM store.samples WHERE batch_id > :mark")
        above = connection.execute(query, {"mark": high_water}).scalar_one()
    assert above == 0, "the bug this test is about: a mark would find nothing new"
    assert refresh(url, tmp_path).rows["samples"] == 5
    assert_same_as_store(tmp_path)


def test_planned_batches_are_not_taken_for_mirrored(url: str, tmp_path: Path) -> None:
    with transaction() as connection:
        planned = open_batch(connection, 1, 1, 0, 3, None)
    refresh(url, tmp_path)
    with transaction() as connection:
        draw(connection, planned, 1, 1, range(3))
    assert refresh(url, tmp_path).rows["samples"] == 3
    assert_same_as_store(tmp_path)


def test_a_batch_that_grew_after_it_was_mirrored_is_completed(url: str, tmp_path: Path) -> None:
    with transaction() as connection:
        batch = open_batch(connection, 1, 1, 0, 5, None)
        draw(connection, batch, 1, 1, range(3))
    refresh(url, tmp_path)
    with transaction() as connection:
        draw(connection, batch, 1, 1, range(5))
    assert refresh(url, tmp_path).rows["samples"] == 2
    assert_same_as_store(tmp_path)


def test_repeated_judgements_count_by_majority(url: str, tmp_path: Path) -> None:
    fill(1, range(6), right=3)
    refresh(url, tmp_path)
    for attempt in (1, 2):
        with transaction() as connection:
            batch = open_batch(connection, 1, 1, 0, 4, 1)
            judge(connection, batch, 1, 1, range(4), right=1, attempt=attempt)
    with transaction() as connection:
        batch = open_batch(connection, 1, 2, 0, 1, 1)
        judge(connection, batch, 1, 2, range(1), right=0, attempt=1)
    refresh(url, tmp_path)
    with open_snapshot(tmp_path) as snapshot:
        rows = snapshot.rows("SELECT problem_id, n, c, undecided FROM problem_counts ORDER BY problem_id")
    assert [tuple(row.values()) for row in rows] == [(1, 6, 1, 0), (2, 5, 2, 1), (3, 6, 3, 0)]
    assert_same_as_store(tmp_path)


def test_small_pulls_and_large_scans_find_the_same_rows(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(4):
        fill(1, range(10 * step, 10 * step + 10))
    monkeypatch.setattr("store.analytics.pull.SCAN_FROM_SHARE", 2.0)
    refresh(url, tmp_path / "ranges")
    assert_same_as_store(tmp_path / "ranges")
    monkeypatch.setattr("store.analytics.pull.SCAN_FROM_SHARE", 0.0)
    refresh(url, tmp_path / "scan")
    fill(1, range(40, 43))
    refresh(url, tmp_path / "scan")
    assert_same_as_store(tmp_path / "scan")


@pytest.fixture
def halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch even few rows by halves, with two connections."""
    monkeypatch.setattr("store.analytics.pull.SCAN_FROM_SHARE", 2.0)
    monkeypatch.setattr("store.analytics.pull.HALVED_FROM", 2)
    monkeypatch.setattr("store.analytics.lacking.MANY_BATCHES", 0)


@pytest.mark.usefixtures("halved")
def test_many_rows_are_fetched_by_halves(url: str, tmp_path: Path) -> None:
    refresh(url, tmp_path)
    for step in range(3):
        fill(1, range(10 * step, 10 * step + 10))
    refresh(url, tmp_path)
    halves = {file.stem.rsplit("-", 1)[0][-2:] for file in (tmp_path / "segments").rglob("*.parquet")}
    assert halves == {"-0", "-1"}
    assert_same_as_store(tmp_path)


@pytest.mark.usefixtures("halved")
def test_both_halves_are_of_one_state(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction() as connection:
        drawn = [open_batch(connection, 1, problem, 0, 5, None) for problem in (1, 2)]
        for problem, batch in enumerate(drawn, start=1):
            draw(connection, batch, 1, problem, range(3))
    begun = Source.sibling

    def after_a_commit(source: Source) -> Source | None:
        with transaction() as connection:
            draw(connection, drawn[1], 1, 2, range(5))
        return begun(source)

    monkeypatch.setattr(Source, "sibling", after_a_commit)
    assert refresh(url, tmp_path).rows["samples"] == 6
    monkeypatch.undo()
    assert refresh(url, tmp_path).rows["samples"] == 2
    assert_same_as_store(tmp_path)


@pytest.mark.usefixtures("halved")
def test_halves_come_one_after_the_other_where_one_connection_sees_a_state(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(1, range(10))
    monkeypatch.setattr(Source, "sibling", lambda _: None)
    refresh(url, tmp_path)
    assert_same_as_store(tmp_path)


@pytest.mark.usefixtures("halved")
def test_a_half_that_fails_leaves_the_last_state(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(1, range(5))
    refresh(url, tmp_path)
    before = (tmp_path / "catalogue.duckdb").read_bytes()
    fill(1, range(5, 10))

    def failing(
        connection: duckdb.DuckDBPyConnection, query: str, fact: Fact, mirror: Path, name: str
    ) -> list[Segment]:
        if name.endswith("-1"):
            raise OSError("no space left")
        return write_partitioned(connection, query, fact, mirror, name)

    with monkeypatch.context() as patched:
        patched.setattr("store.analytics.pull.write_partitioned", failing)
        with pytest.raises(OSError, match="no space"):
            refresh(url, tmp_path)
    assert (tmp_path / "catalogue.duckdb").read_bytes() == before
    refresh(url, tmp_path)
    assert_same_as_store(tmp_path)


def test_a_state_that_another_server_does_not_know_is_seen_by_one_connection(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(url, tmp_path)
    try:
        source.begin()
        with monkeypatch.context() as patched:
            patched.setattr(source, "ask", lambda _: [("0000F00D-0000F00D-1",)])
            assert source.sibling() is None
        assert source.ask("SELECT count(*) FROM store.runs") == [(1,)]
        sibling = source.sibling()
        assert sibling is not None
        assert sibling.ask("SELECT count(*) FROM store.runs") == [(1,)]
    finally:
        source.close()


def test_more_ranges_than_are_asked_for_one_by_one(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.analytics.source._MOST_RANGES", 1)
    monkeypatch.setattr("store.analytics.pull.SCAN_FROM_SHARE", 2.0)
    with transaction() as connection:
        later = [open_batch(connection, 1, 1, i, i + 1, None) for i in range(5)]
        for place in (1, 3):
            draw(connection, later[place], 1, 1, range(place, place + 1))
    refresh(url, tmp_path)
    with transaction() as connection:
        for place in (0, 2, 4):
            draw(connection, later[place], 1, 1, range(place, place + 1))
    assert refresh(url, tmp_path).rows["samples"] == 3
    assert_same_as_store(tmp_path)


def test_an_open_snapshot_does_not_move(url: str, tmp_path: Path) -> None:
    fill(1, range(5))
    refresh(url, tmp_path)
    with open_snapshot(tmp_path) as old:
        fill(1, range(5, 9))
        refresh(url, tmp_path)
        assert old.rows("SELECT count(*) AS n FROM verdicts")[0]["n"] == 5 * PROBLEMS
        with open_snapshot(tmp_path) as new:
            assert new.rows("SELECT count(*) AS n FROM verdicts")[0]["n"] == 9 * PROBLEMS
            assert new.snapshot_id != old.snapshot_id


def test_the_catalogue_answers_a_bare_duckdb_client(url: str, tmp_path: Path) -> None:
    fill(1, range(5))
    refresh(url, tmp_path)
    file = tmp_path / "catalogue.duckdb"
    assert file.stat().st_mode & 0o777 == 0o444
    with duckdb.connect(str(file), read_only=True) as client:
        query = "SELECT avg(pass_at_k(n, c, 2)) FROM analytics.problem_counts"
        assert client.execute(query).fetchone() == (pytest.approx(0.7),)
        assert client.execute("SELECT title FROM mirror.queries WHERE query = 'coverage'").fetchone() == ("Coverage",)
        comment = "SELECT comment FROM duckdb_columns() WHERE table_name = 'verdicts' AND column_name = 'outcome'"
        assert client.execute(comment).fetchone() == ("correct, incorrect or undecided",)


def test_comments_of_the_contract_are_in_the_catalogue(url: str, tmp_path: Path) -> None:
    refresh(url, tmp_path)
    with open_snapshot(tmp_path) as snapshot:
        silent = [
            (table.name, column)
            for table in snapshot.schema()
            for column, _, comment in table.columns
            if not (comment and table.comment)
        ]
    assert silent == []


def test_one_writer_at_a_time(url: str, tmp_path: Path) -> None:
    with writing(tmp_path), pytest.raises(MirrorBusy, match=f"Process {os.getpid()} is writing"):
        refresh(url, tmp_path)
    refresh(url, tmp_path)


def test_refreshers_started_together_leave_one_whole_mirror(url: str, tmp_path: Path) -> None:
    fill(1, range(20))
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            refresh(url, tmp_path)
            outcomes.append("done")
        except MirrorBusy:
            outcomes.append("busy")

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert "done" in outcomes
    assert_same_as_store(tmp_path)


_REFRESH = """
import sys
from pathlib import Path
from store.analytics.refresh import refresh
refresh(sys.argv[1], Path(sys.argv[2]))
"""


def killed_refresh(url: str, mirror: Path, after: float) -> int:
    """Start a refresh in a process of its own and kill it after so many seconds; its exit status."""
    with subprocess.Popen([sys.executable, "-c", _REFRESH, url, str(mirror)], stderr=subprocess.DEVNULL) as process:
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        return process.wait()


def test_killed_at_any_point_the_last_state_stays_and_nothing_is_lost_or_doubled(url: str, tmp_path: Path) -> None:
    fill(1, range(5))
    refresh(url, tmp_path)
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", _REFRESH, url, str(tmp_path)], check=True)
    whole = time.monotonic() - started
    killed = 0
    for step in range(8):
        fill(1, range(5 + 3 * step, 8 + 3 * step))
        killed += killed_refresh(url, tmp_path, after=whole * (0.3 + 0.1 * step)) == -signal.SIGKILL
        with open_snapshot(tmp_path) as snapshot:
            counts = [snapshot.rows(f"SELECT count(*) AS n FROM {fact}")[0]["n"] for fact in FACTS]  # noqa: S608
            tallied = snapshot.rows("SELECT sum(n)::BIGINT AS n FROM problem_counts")[0]["n"]
            assert len({*counts, tallied}) == 1, "a state that never was"
    assert killed, "no refresh was killed: the test shows nothing"
    refresh(url, tmp_path)
    assert_same_as_store(tmp_path)
    with duckdb.connect(str(tmp_path / "catalogue.duckdb"), read_only=True) as client:
        listed = {row[0] for row in client.execute("SELECT path FROM mirror.segments").fetchall()}
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.parquet")} == listed, "orphans stayed"
    assert list(tmp_path.glob("catalogue.unpublished*")) == []


_KILLED = """
import os, signal, sys, time
from pathlib import Path
from store.analytics.compact import compact
from store.analytics.refresh import refresh
url, mirror = sys.argv[1], Path(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    work, after = line.split()
    child = os.fork()
    if not child:
        status = 1
        try:
            refresh(url, mirror) if work == "refresh" else compact(mirror)
            status = 0
        finally:
            os._exit(status)
    time.sleep(float(after))
    os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
KILLS = 40


def test_killed_at_random_moments_it_always_shows_a_whole_state_and_verify_holds(url: str, tmp_path: Path) -> None:
    """Refreshes and compactions killed anywhere: every state is whole, none goes back, and the next one catches up."""
    fill(1, range(5))
    refresh(url, tmp_path)
    fill(1, range(5, 6))
    started = time.monotonic()
    refresh(url, tmp_path)
    whole = time.monotonic() - started
    moments, outcomes, stored, shown = random.Random(20), [], 6, 6
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, url, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for kill in range(KILLS):
            work = "compact" if kill % 4 == 3 else "refresh"
            if work == "refresh":
                fill(1, range(stored, stored + 1))
                stored += 1
            process.stdin.write(f"{work} {whole * moments.random()}\n")
            process.stdin.flush()
            outcomes.append(int(process.stdout.readline()))
            with open_snapshot(tmp_path) as snapshot:
                counts = {snapshot.rows(f"SELECT count(*) AS n FROM {fact}")[0]["n"] for fact in FACTS}  # noqa: S608
                counts.add(snapshot.rows("SELECT sum(n)::BIGINT AS n FROM problem_counts")[0]["n"])
            (count,) = counts
            assert shown <= count // PROBLEMS <= stored
            assert outcomes[-1] or work == "compact" or count == stored * PROBLEMS
            shown = count // PROBLEMS
        process.stdin.close()
    assert set(outcomes) <= {0, -signal.SIGKILL}, "one found what a killed one had left, and failed"
    assert outcomes.count(-signal.SIGKILL) > KILLS // 2, "too few were killed: the test shows little"
    refresh(url, tmp_path)
    report = verify(url, tmp_path)
    assert (report.rows, report.differences, report.behind) == (len(FACTS) * stored * PROBLEMS, (), 0)
    assert_same_as_store(tmp_path)
    assert list(tmp_path.glob("catalogue.unpublished*")) == []


@pytest.mark.parametrize(
    "step", ["store.analytics.catalogue_file.put_in_place", "store.analytics.catalogue_making.tally"]
)
def test_a_failure_before_publishing_changes_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    fill(1, range(5))
    first = refresh(url, tmp_path)
    fill(1, range(5, 7))

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        with pytest.raises(OSError, match="no space"):
            refresh(url, tmp_path)
    with open_snapshot(tmp_path) as snapshot:
        assert snapshot.snapshot_id == first.snapshot_id
        assert snapshot.rows("SELECT count(*) AS n FROM samples")[0]["n"] == 5 * PROBLEMS
    refresh(url, tmp_path)
    assert_same_as_store(tmp_path)


def test_a_lost_segment_is_named_and_rebuilding_mends_it(url: str, tmp_path: Path) -> None:
    fill(1, range(5))
    refresh(url, tmp_path)
    lost = next(tmp_path.glob("segments/verdicts/**/*.parquet"))
    lost.unlink()
    with pytest.raises(MirrorDamaged, match=lost.name):
        refresh(url, tmp_path)
    assert refresh(url, tmp_path, rebuild=True).rebuilt
    assert_same_as_store(tmp_path)


def test_compaction_merges_segments_and_changes_no_number(url: str, tmp_path: Path) -> None:
    for step in range(3):
        fill(1, range(3 * step, 3 * step + 3))
        last = refresh(url, tmp_path)
    with open_snapshot(tmp_path) as old:
        report = compact(tmp_path)
        assert (report.before, report.after) == (12, 4)
        assert old.rows("SELECT count(*) AS n FROM completions")[0]["n"] == 9 * PROBLEMS, (
            "an open snapshot lost its segments"
        )
    assert_same_as_store(tmp_path)
    assert compact(tmp_path).before == 4
    with open_snapshot(tmp_path) as snapshot:
        assert snapshot.snapshot_id == last.snapshot_id
        assert all(table.comment for table in snapshot.schema())
    fill(1, range(9, 11))
    assert refresh(url, tmp_path).rows["samples"] == 2 * PROBLEMS
    assert_same_as_store(tmp_path)


def test_replaced_segments_go_when_no_snapshot_can_need_them(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(2):
        fill(1, range(3 * step, 3 * step + 3))
        refresh(url, tmp_path)
    compact(tmp_path)
    refresh(url, tmp_path)
    assert len(list(tmp_path.rglob("*.parquet"))) == 12
    monkeypatch.setattr("store.analytics.refresh.RETENTION", timedelta(0))
    refresh(url, tmp_path)
    assert len(list(tmp_path.rglob("*.parquet"))) == 4
    assert_same_as_store(tmp_path)


def test_verifying_finds_what_differs(url: str, tmp_path: Path) -> None:
    fill(1, range(5))
    refresh(url, tmp_path)
    fill(1, range(5, 6))
    report = verify(url, tmp_path)
    assert report.differences == ()
    assert report.rows == 4 * 5 * PROBLEMS
    assert report.behind == 2 * PROBLEMS
    with transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE store.completions SET completion = 'other' WHERE problem_id = 1 AND sample_index = 1"
        )
        connection.exec_driver_sql("DELETE FROM store.verdicts WHERE problem_id = 2 AND sample_index = 1")
    found = {(one.fact, one.run, one.in_store - one.in_mirror) for one in verify(url, tmp_path).differences}
    assert found == {("completions", "first", 0), ("verdicts", "first", -1)}


def test_verifying_finds_a_number_that_differs_by_a_fraction(url: str, tmp_path: Path) -> None:
    fill(1, range(5))
    fill_sides(1, 0)
    with transaction() as connection:
        connection.exec_driver_sql("UPDATE store.verdicts SET score = 'NaN' WHERE sample_index = 3")
        connection.exec_driver_sql("UPDATE store.verdicts SET score = -sample_index - 0.3 WHERE sample_index < 3")
    refresh(url, tmp_path)
    assert verify(url, tmp_path).differences == ()
    with transaction() as connection:
        connection.exec_driver_sql("UPDATE store.verdicts SET score = -1.30001 WHERE sample_index = 1")
        connection.exec_driver_sql("UPDATE store.step_scores SET scores = '{0.25,0.5001}' WHERE problem_id = 1")
        connection.exec_driver_sql("UPDATE store.samples SET finish_reason = 'abort' WHERE sample_index = 0")
    assert {one.fact for one in verify(url, tmp_path).differences} == {"verdicts", "step_scores", "samples"}


def test_a_mirror_that_was_moved_reads_its_segments_where_they_are(url: str, tmp_path: Path) -> None:
    fill(1, range(5))
    refresh(url, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    with open_snapshot(tmp_path / "there") as snapshot:
        assert snapshot.query("coverage", run="first", k=2).rows
        with pytest.raises(MirrorDamaged, match="run `passatk mirror refresh`, as after moving the folder"):
            snapshot.rows("SELECT count(*) FROM samples")
    report = refresh(url, tmp_path / "there")
    assert (report.changed, report.rebuilt) == (False, False)
    assert_same_as_store(tmp_path / "there")
    (tmp_path / "there").rename(tmp_path / "elsewhere")
    fill(1, range(5, 7))
    assert refresh(url, tmp_path / "elsewhere").rows["samples"] == 2 * PROBLEMS
    assert_same_as_store(tmp_path / "elsewhere")


def test_a_mirror_of_another_store_is_refused(url: str, tmp_path: Path) -> None:
    fill(1, range(2))
    refresh(url, tmp_path)
    with transaction() as connection:
        connection.commit()
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.autocommit = True
        raw.execute("DROP DATABASE IF EXISTS other")
        raw.execute("CREATE DATABASE other TEMPLATE template0")
        raw.autocommit = False  # the pool hands this connection to whoever comes next
    other = url.replace("/passatk?", "/other?")
    with pytest.raises(SourceUnreachable, match="has no tables"):
        refresh(other, tmp_path)
    with transaction() as connection:
        connection.exec_driver_sql("UPDATE store.batches SET created_at = created_at + interval '1 second'")
    with pytest.raises(ForeignMirror, match=r"6 batches that the store .* does not have"):
        refresh(url, tmp_path)
    assert refresh(url, tmp_path, rebuild=True).rebuilt
    assert_same_as_store(tmp_path)


def test_nothing_to_open_and_nobody_to_ask_are_one_clear_line_each(tmp_path: Path) -> None:
    with pytest.raises(NoSnapshot, match="is empty: run `passatk mirror refresh`"):
        open_snapshot(tmp_path)
    with pytest.raises(SourceUnreachable, match="cannot be read"):
        refresh("postgresql://postgres:secret@127.0.0.1:1/none", tmp_path)
    settings = StoreSettings(home=tmp_path, database_url=None, mirror=tmp_path)
    with pytest.raises(SourceUnreachable, match="start it with `passatk store up`"):
        store_address(settings)


SIDE_TABLES = """
INSERT INTO store.imports (run_id, format, tool, file, file_hash, records)
    VALUES (:run, 'jsonl', 't', 'f.jsonl', 'h' || :first, 1);
INSERT INTO store.generated_tests (problem_id, suite, position, code) VALUES (1, 's', :first, 'assert f(1) == 1');
INSERT INTO store.prompts (run_id, problem_id, prompt_hash, prompt)
    SELECT :run, 1 + :first % 3, 7, 'what is ' || :first ON CONFLICT DO NOTHING;
INSERT INTO store.sample_logprobs (run_id, problem_id, sample_index, batch_id, token_ids, logprobs)
    SELECT run_id, problem_id, sample_index, batch_id, '{5,6,7}', '{-0.5,-1.5,-2.5}' FROM store.samples
    WHERE run_id = :run AND sample_index = :first;
INSERT INTO store.sample_sources (run_id, problem_id, sample_index, batch_id, import_id, locator)
    SELECT run_id, problem_id, sample_index, batch_id, (SELECT max(import_id) FROM store.imports), 'line 1'
    FROM store.samples WHERE run_id = :run AND sample_index = :first;
INSERT INTO store.test_outcomes (run_id, problem_id, sample_index, verifier_id, attempt, test_id, batch_id, outcome)
    SELECT run_id, problem_id, sample_index, verifier_id, attempt, 1, batch_id, 'correct' FROM store.verdicts
    WHERE run_id = :run AND sample_index = :first;
INSERT INTO store.step_scores (run_id, problem_id, sample_index, verifier_id, attempt, batch_id, scores)
    SELECT run_id, problem_id, sample_index, verifier_id, attempt, batch_id, '{0.25,0.5}' FROM store.verdicts
    WHERE run_id = :run AND sample_index = :first;
INSERT INTO store.verdict_costs (run_id, problem_id, sample_index, verifier_id, attempt, batch_id, model_id, requests,
                                 prompt_tokens, completion_tokens)
    SELECT run_id, problem_id, sample_index, verifier_id, attempt, batch_id, 1, 1, 100, 20 FROM store.verdicts
    WHERE run_id = :run AND sample_index = :first;
INSERT INTO store.preferences (run_id, problem_id, first_index, second_index, verifier_id, attempt, batch_id, winner,
                               seconds)
    SELECT run_id, problem_id, sample_index, sample_index + 1, verifier_id, attempt, batch_id, 'tie', 0.5
    FROM store.verdicts WHERE run_id = :run AND sample_index = :first;
"""
SIDE_FACTS = ("sample_logprobs", "sample_sources", "test_outcomes", "step_scores", "verdict_costs", "preferences")


def fill_sides(run_id: int, first: int) -> None:
    """Rows beside those of one sample of every problem, as the batches that wrote it would have written them."""
    with transaction() as connection:
        for statement in SIDE_TABLES.split(";\n"):
            connection.execute(sa.text(statement), {"run": run_id, "first": first})


def test_what_is_kept_beside_samples_and_verdicts_is_mirrored_too(url: str, tmp_path: Path) -> None:
    fill(1, range(10))
    fill_sides(1, 0)
    report = refresh(url, tmp_path)
    assert {name: report.rows[name] for name in (*SIDE_FACTS, "prompts")} == {
        **dict.fromkeys(SIDE_FACTS, PROBLEMS),
        "prompts": 1,
    }
    fill(1, range(10, 20))
    fill_sides(1, 10)
    again = refresh(url, tmp_path)
    assert {name: again.rows[name] for name in (*SIDE_FACTS, "prompts")} == {
        **dict.fromkeys(SIDE_FACTS, PROBLEMS),
        "prompts": 1,
    }
    with open_snapshot(tmp_path) as snapshot:
        assert snapshot.rows("SELECT DISTINCT token_ids, logprobs FROM sample_logprobs") == [
            {"token_ids": [5, 6, 7], "logprobs": [-0.5, -1.5, -2.5]}
        ]
        assert snapshot.rows("SELECT DISTINCT scores FROM step_scores") == [{"scores": [0.25, 0.5]}]
        assert snapshot.rows("SELECT prompt FROM prompts ORDER BY problem_id") == [
            {"prompt": "what is 0"},
            {"prompt": "what is 10"},
        ]
        assert snapshot.rows("SELECT count(*) AS n FROM generated_tests JOIN imports ON true") == [{"n": 4}]
    assert verify(url, tmp_path).differences == ()
    compact(tmp_path)
    assert verify(url, tmp_path).differences == ()
    with transaction() as connection:
        connection.exec_driver_sql("UPDATE store.verdict_costs SET completion_tokens = 21 WHERE sample_index = 10")
    assert [one.fact for one in verify(url, tmp_path).differences] == ["verdict_costs"]


def test_a_worker_s_sign_of_life_makes_no_new_state(url: str, tmp_path: Path) -> None:
    fill(1, range(4))
    first = refresh(url, tmp_path)
    with transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO store.workers (name, host, queues, version, started_at, seen_at) "
            "VALUES ('w', 'h', 'q', '1', now(), now())"
        )
    assert not refresh(url, tmp_path).changed
    fill(1, range(4, 8))
    assert refresh(url, tmp_path).snapshot_id != first.snapshot_id
    with open_snapshot(tmp_path) as snapshot:
        assert snapshot.rows("SELECT name, stopped_at FROM workers") == [{"name": "w", "stopped_at": None}]


def test_equivalent_answers_vote_as_one(url: str, tmp_path: Path) -> None:
    fill(1, range(6), right=3)
    with transaction() as connection:
        connection.exec_driver_sql("UPDATE store.verdicts SET answer_class = '1' WHERE answer = '2'")
    refresh(url, tmp_path)
    with open_snapshot(tmp_path) as snapshot:
        answers = snapshot.rows("SELECT DISTINCT answer FROM answer_groups ORDER BY 1")
        assert [row["answer"] for row in answers] == ["0", "1", "7"]


def judged_by(verifier: int, run_id: int, indexes: range, right: int, answers: bool, attempt: int = 0) -> None:
    """Another verifier judges samples of every problem, with or without reading answers."""
    with transaction() as connection:
        for problem_id in range(1, PROBLEMS + 1):
            batch = open_batch(connection, run_id, problem_id, indexes.start, indexes.stop, verifier)
            rows = [
                VerdictRow(
                    run_id,
                    problem_id,
                    i,
                    verifier,
                    attempt,
                    batch,
                    ("correct", "incorrect", "undecided")[min(i // right, 2)],
                    None,
                    str(i % 2) if answers and i % 5 else None,
                    i / 8,
                    0.5,
                )
                for i in indexes
            ]
            mark_done(connection, write_verdicts(connection, rows))


def measured(connection: sa.Connection) -> None:
    """Token counts for every sample, as workers write them."""
    connection.exec_driver_sql(
        "UPDATE store.samples SET prompt_tokens = 100, request_samples = 3, gpu_seconds = 0.125, "
        "completion_tokens = 7 * mod(sample_index, 9), "
        "finish_reason = CASE WHEN mod(sample_index, 4) = 0 THEN 'length' ELSE 'stop' END "
        "WHERE completion_tokens IS NULL"
    )


def test_tallies_that_are_added_to_are_those_of_all_rows(url: str, tmp_path: Path) -> None:
    """Step by step what can be new of a run: each time every tally is what all rows together say."""
    with transaction() as connection:
        for name in ("second", "third"):
            connection.execute(sa.insert(verifiers).values(name=name, version="1", fingerprint=name))
        new_run(connection, "other")
    steps = [
        lambda: fill(1, range(10)),
        lambda: fill(1, range(10, 20)),  # more of the same
        lambda: judged_by(2, 1, range(7), 3, answers=False),  # another verifier, late, for some samples
        lambda: judged_by(2, 1, range(7, 20), 9, answers=False),
        lambda: (fill(1, range(20, 25)), fill(2, range(6))),  # a new run beside one that grows
        lambda: (fill(1, range(25, 30)), judged_by(2, 1, range(20, 30), 24, answers=False)),
        lambda: judged_by(3, 1, range(4), 2, answers=False),
        lambda: judged_by(3, 1, range(4, 12), 6, answers=True),  # answers where the verifier gave none till now
        lambda: judged_by(3, 1, range(12, 30), 20, answers=False),  # and none again
        lambda: (fill(1, range(40, 42)), fill_sides(1, 40)),
        lambda: (fill(2, range(6, 9)), fill_sides(2, 6)),
        lambda: judged_by(2, 1, range(5), 1, answers=False, attempt=1),  # judged again: counted anew
        lambda: fill(1, range(30, 33)),
    ]
    for place, step in enumerate(steps):
        step()
        with transaction() as connection:
            measured(connection)
        refresh(url, tmp_path)
        assert [one for one in verify(url, tmp_path).differences if one.fact not in FACTS] == [], place
    assert_same_as_store(tmp_path)
    with open_snapshot(tmp_path) as grown:
        refresh(url, tmp_path / "at once")
        with open_snapshot(tmp_path / "at once") as whole:
            for name in ("problem_counts", "answer_groups", "agreement_counts", "verifier_uses", "judging_costs"):
                text = f"SELECT * FROM {name} ORDER BY ALL"  # noqa: S608
                assert grown.rows(text) == whole.rows(text), name
            text = "SELECT problem_id, samples, truncated, median_completion_tokens FROM sample_counts ORDER BY ALL"
            assert grown.rows(text) == whole.rows(text)


def test_more_of_a_run_is_tallied_without_reading_what_was_there(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(1, range(10))
    refresh(url, tmp_path)
    for file in (tmp_path / "segments" / "verdicts").rglob("*.parquet"):
        whole = bytearray(file.read_bytes())
        footer = int.from_bytes(whole[-8:-4], "little") + 8
        whole[4:-footer] = bytes(len(whole) - footer - 4)  # of the same size, but no row can be read
        file.write_bytes(whole)
    fill(1, range(10, 20))
    refresh(url, tmp_path)
    with open_snapshot(tmp_path) as snapshot:
        assert snapshot.rows("SELECT DISTINCT n, c FROM problem_counts") == [{"n": 20, "c": 2}]


def test_verifying_finds_a_wrong_tally(url: str, tmp_path: Path) -> None:
    fill(1, range(6))
    refresh(url, tmp_path)
    file = tmp_path / "catalogue.duckdb"
    file.chmod(0o600)
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE analytics.problem_counts SET c = 3 WHERE problem_id = 1")
        connection.execute("DELETE FROM analytics.answer_groups WHERE problem_id = 2 AND answer = '7'")
        connection.execute("UPDATE analytics.sample_counts SET median_completion_tokens = 4 WHERE problem_id = 3")
    found = {(one.fact, one.in_store, one.in_mirror) for one in verify(url, tmp_path).differences}
    assert found == {("problem_counts", 1, 1), ("answer_groups", 1, 0), ("sample_counts", 1, 1)}
