"""The store's commands: what they print, and that an error is one line on stderr and exit status 1."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from store import command, embedded, schema
from store.connection import database_url, engine, reader_url
from store.settings import StoreSettings

PASSATK = Path(sys.executable).parent / "passatk"

#: Runs `passatk` with these arguments in this process: exit status, stdout, stderr.
Passatk = Callable[..., tuple[int, str, str]]


@pytest.fixture
def passatk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Passatk:
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["passatk", *arguments])
        with pytest.raises(SystemExit) as ended:
            command.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


def _new_process(*arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(PASSATK), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _is_one_line(result: tuple[int, str, str], *words: str) -> None:
    status, _, err = result
    assert status == 1, result
    assert err.startswith("Error: "), err
    assert err.count("\n") == 1, err
    assert err.endswith("\n"), err
    assert "Traceback" not in err
    for word in words:
        assert word in err


class TestBenchmark:
    def test_import_and_list(self, workshop: Any, passatk: Passatk) -> None:
        assert passatk("benchmark", "list")[1] == "No benchmark yet: `passatk benchmark import FILE`.\n"
        path = str(workshop.file("sums.jsonl", [{"id": str(n), "prompt": "p", "answer": "1"} for n in range(3)]))
        arguments = ("benchmark", "import", path, "--name", "sums", "--format", "jsonl")
        assert passatk(*arguments) == (0, "Benchmark sums@1: 3 problems stored.\n", "")
        assert passatk(*arguments) == (0, "Benchmark sums@1: 3 problems were stored before; nothing changed.\n", "")
        status, out, _ = passatk("benchmark", "list")
        assert status == 0
        assert [line.split() for line in out.splitlines()] == [
            ["benchmark", "format", "problems"],
            ["sums@1", "jsonl", "3"],
        ]

    def test_bad_files_are_one_line(self, workshop: Any, passatk: Passatk) -> None:
        path = workshop.file("bad.jsonl", [{"id": "1", "prompt": "p"}, {"id": "1", "prompt": "p"}])
        arguments = ("--name", "sums", "--format", "jsonl")
        _is_one_line(passatk("benchmark", "import", str(path), *arguments), f"{path}:2: ", 'id "1" is there already')
        _is_one_line(passatk("benchmark", "import", "nowhere.jsonl", *arguments), "nowhere.jsonl: no such file")
        empty = workshop.file("empty.jsonl", [])
        _is_one_line(passatk("benchmark", "import", str(empty), *arguments), "holds no problem")
        _is_one_line(passatk("benchmark", "import", str(path), "--name", "a@1", "--format", "jsonl"), "without")
        assert workshop.one("SELECT count(*) FROM store.benchmarks") == 0


class TestSamples:
    def test_import_twice(self, workshop: Any, passatk: Passatk) -> None:
        workshop.benchmark(2)
        path = workshop.file(
            "drawn.jsonl", [{"task_id": "p0", "samples": ["a\n#b", "c"]}, {"task_id": "p1", "samples": ["d"]}]
        )
        arguments = ("samples", "import", str(path), "--run", "theirs", "--benchmark", "sums", "--model", "codegen")
        options = ("--format", "codet", "--stop-word", "\\n#", "--stop-word", "d")
        status, out, _ = passatk(*arguments, *options)
        assert status == 0
        assert out == (
            "Run theirs: 3 samples stored; it has 1 to 2 for each of 2 problems. "
            "Judge them with `passatk verify --run theirs`.\n"
        )
        assert workshop.rows("SELECT completion FROM store.completions ORDER BY problem_id, sample_index") == [
            ("a",),
            ("c",),
            ("",),
        ]
        assert passatk(*arguments, *options)[1].startswith("Run theirs: 0 samples stored")
        _is_one_line(passatk(*arguments, "--format", "codet"), 'Run "theirs" exists')
        _is_one_line(passatk(*arguments, "--format", "codet", "--stop-word", ""), "empty --stop-word")
        _is_one_line(passatk(*arguments, "--format", "jsonl"), "theirs")

    def test_the_studys_stop_words(self, workshop: Any, passatk: Passatk) -> None:
        workshop.benchmark(1)
        texts = [f"x{word} y" for word in ("\nclass", "\ndef", "\n#", "\nif", "\nprint")]
        path = workshop.file("drawn.jsonl", [{"task_id": "p0", "samples": texts}])
        arguments = ("samples", "import", str(path), "--run", "r", "--benchmark", "sums", "--model", "m")
        assert passatk(*arguments, "--format", "codet", "--humaneval-stop-words")[0] == 0
        assert workshop.rows("SELECT DISTINCT completion FROM store.completions") == [("x",)]
        assert workshop.one("SELECT provenance -> 'stop_words' FROM store.runs") == [
            "\nclass",
            "\ndef",
            "\n#",
            "\nif",
            "\nprint",
        ]

    def test_an_unknown_benchmark_is_one_line(self, workshop: Any, passatk: Passatk) -> None:
        workshop.benchmark(1)
        path = str(workshop.file("drawn.jsonl", []))
        arguments = ("samples", "import", path, "--run", "r", "--model", "m", "--format", "codet")
        _is_one_line(passatk(*arguments, "--benchmark", "summs"), 'No benchmark "summs"; there are: sums.')
        _is_one_line(passatk(*arguments, "--benchmark", "sums"), "holds no sample")


class TestPrice:
    def test_set_and_list(self, workshop: Any, passatk: Passatk) -> None:
        workshop.run()
        assert passatk("price", "list")[1] == "No price yet: `passatk price set`.\n"
        amounts = ("--input", "0.10", "--output", "0.4", "--cached-input", "0.05", "--gpu-hour", "2.5")
        status, out, _ = passatk("price", "set", "--model", "tiny", *amounts, "--from", "2026-01-01")
        assert (status, out) == (0, "tiny costs US$ 0.10 in and 0.4 out per million tokens from 2026-01-01.\n")
        lines = passatk("price", "list")[1].splitlines()
        assert lines[1].split() == ["tiny", "2026-01-01", "0.10", "0.05", "0.4", "2.5"]

    def test_errors_are_one_line(self, workshop: Any, passatk: Passatk) -> None:
        workshop.run()
        price = ("price", "set", "--output", "1", "--from", "2026-01-01")
        _is_one_line(passatk(*price, "--model", "huge", "--input", "1"), 'No model "huge"; there are: tiny.')
        _is_one_line(passatk(*price, "--model", "tiny", "--input", "-1"), "A price of -1 cannot be")
        _is_one_line(passatk(*price, "--model", "tiny", "--input", "NaN"), "A price of NaN cannot be")

    @pytest.mark.parametrize("changed", [("--input", "much"), ("--from", "yesterday"), ("--from", "2026-02-30")])
    def test_what_is_no_amount_or_day_is_a_usage_error(
        self, workshop: Any, passatk: Passatk, changed: tuple[str, str]
    ) -> None:
        given = {"--model": "tiny", "--input": "1", "--output": "1", "--from": "2026-01-01"} | dict([changed])
        status, _, err = passatk("price", "set", *[part for pair in given.items() for part in pair])
        assert status == 2
        assert changed[1] in err


class TestStore:
    def test_status_counts(self, workshop: Any, passatk: Passatk) -> None:
        run = workshop.run(problems=2)
        workshop.draw(run, workshop.problems(run)[0], range(3))
        status, out, _ = passatk("store", "status")
        lines = dict(line.split(maxsplit=1) for line in out.splitlines())
        assert status == 0
        assert lines["store"] == database_url()
        assert lines["revision"].startswith(schema.head_revision())
        assert {name: lines[name] for name in ("benchmarks", "runs", "samples", "verdicts")} == {
            "benchmarks": "1",
            "runs": "1",
            "samples": "3",
            "verdicts": "0",
        }

    def test_up_twice_and_url(self, store: StoreSettings, passatk: Passatk) -> None:
        for _ in range(2):
            status, out, _ = passatk("store", "up")
            assert status == 0
            assert f"(schema revision {schema.head_revision()})" in out
        assert passatk("store", "url")[1] == f"{database_url()}\n"
        assert passatk("store", "url", "--reader")[1] == f"{reader_url()}\n"

    def test_down_leaves_a_given_server_alone(self, store: StoreSettings, passatk: Passatk) -> None:
        _is_one_line(passatk("store", "down"), "names a server of your own")

    def test_a_given_store_without_tables(self, store: StoreSettings, passatk: Passatk) -> None:
        with psycopg.connect(database_url(), autocommit=True) as admin:
            admin.execute("DROP SCHEMA analytics CASCADE")
            admin.execute("DROP SCHEMA store CASCADE")
            admin.execute("DROP TABLE public.alembic_version")
        _is_one_line(passatk("benchmark", "list"), "revision none", "run `passatk store up`")
        status, out, err = passatk("store", "status")
        assert (status, err) == (0, "")
        assert "none (this passatk needs" in out
        assert passatk("store", "up")[0] == 0
        assert passatk("benchmark", "list")[0] == 0

    def test_a_store_of_a_newer_passatk(self, store: StoreSettings, passatk: Passatk) -> None:
        with psycopg.connect(database_url(), autocommit=True) as admin:
            admin.execute("UPDATE public.alembic_version SET version_num = '9999'")
        _is_one_line(passatk("benchmark", "list"), "revision 9999")
        _is_one_line(passatk("store", "up"), "9999", "newer")

    def test_status_and_down_start_nothing(self, tmp_path: Path) -> None:
        home = {"PASSATK_HOME": str(tmp_path / "home"), "PASSATK_DATABASE_URL": ""}
        _is_one_line(_new_process("store", "status", **home), "was never started")
        assert _new_process("store", "down", **home) == (0, "The embedded server was not running.\n", "")
        assert not (tmp_path / "home" / "postgres").exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://here/db", "must start with postgresql://"),
        ("postgresql://user@localhost:notaport/db", "PASSATK_DATABASE_URL"),
        ("postgresql://user@127.0.0.1:1/db", "cannot be reached"),
        ("postgresql://user@no-such-host.invalid/db", "cannot be reached"),
        ("postgresql://[broken/db", "PASSATK_DATABASE_URL"),
        ("postgresql://h/db?sslmode=perhaps", "PASSATK_DATABASE_URL"),
    ],
)
@pytest.mark.parametrize("arguments", [("benchmark", "list"), ("store", "up"), ("store", "status")])
def test_an_address_that_does_not_work_is_one_line(url: str, words: str, arguments: tuple[str, ...]) -> None:
    _is_one_line(_new_process(*arguments, PASSATK_DATABASE_URL=url), words)


def test_a_database_that_is_not_there_is_one_line(store: StoreSettings) -> None:
    missing = database_url().replace("/test_", "/missing_")
    _is_one_line(_new_process("benchmark", "list", PASSATK_DATABASE_URL=missing), "cannot be reached", "missing_")


def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = str(tmp_path / "file" / "home")
    _is_one_line(_new_process("store", "up", PASSATK_HOME=home, PASSATK_DATABASE_URL=""), "does not start")


@pytest.mark.parametrize("name", ["my home", "a&b", "it's", "a,b"])
def test_a_home_that_the_server_cannot_live_in_is_one_line(tmp_path: Path, name: str) -> None:
    environment = {"PASSATK_HOME": str(tmp_path / name), "PASSATK_DATABASE_URL": ""}
    _is_one_line(_new_process("store", "up", **environment), "cannot live in", "PASSATK_HOME")
    assert not (tmp_path / name).exists()


def test_what_is_no_command_is_a_usage_error(passatk: Passatk) -> None:
    for arguments in (("nonsense",), ("benchmark", "nonsense"), ("benchmark", "import")):
        status, out, err = passatk(*arguments)
        assert (status, out) == (2, "")
        assert "Usage: " in err
        assert "Traceback" not in err


def test_help_names_every_room(passatk: Passatk) -> None:
    status, out, _ = passatk("--help")
    assert status == 0
    for name in ("store", "benchmark", "price", "samples", "run", "worker", "verify", "mirror", "query", "dashboard"):
        assert f"\n  {name} " in out


def test_an_interrupt_is_130_and_one_line(passatk: Passatk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("store.cli.ready", interrupted)
    status, _, err = passatk("benchmark", "list")
    assert status == 130
    assert err.strip() == "Interrupted. What was done is stored; the same command goes on from there."


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("store.cli.ready", broken)
    monkeypatch.setattr(sys, "argv", ["passatk", "benchmark", "list"])
    with pytest.raises(ZeroDivisionError):
        command.main()


def test_a_reader_that_leaves_is_no_error(workshop: Any) -> None:
    for n in range(3):
        workshop.benchmark(1, f"sums{n}")
    read, write = os.pipe()
    process = subprocess.Popen([str(PASSATK), "benchmark", "list"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    os.close(read)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")


def test_the_embedded_server_from_nothing(tmp_path: Path) -> None:
    """Its whole life by commands: up, used, status, down, status, up again with everything still there."""
    folder = tmp_path / "Döme-1_x=y@z+w%41"
    home = {"PASSATK_HOME": str(folder), "PASSATK_DATABASE_URL": ""}
    file = tmp_path / "one.jsonl"
    file.write_text('{"id": "a", "prompt": "p", "answer": "1"}\n')
    try:
        # The first command that needs a store makes it: nobody has to ask for it first.
        status, out, err = _new_process("benchmark", "import", str(file), "--name", "one", "--format", "jsonl", **home)
        assert (status, out) == (0, "Benchmark one@1: 1 problems stored.\n"), err
        assert embedded.is_running(folder)
        assert "benchmarks  1" in _new_process("store", "status", **home)[1]
        reader = _new_process("store", "url", "--reader", **home)[1].strip()
        with psycopg.connect(reader) as analyst:
            assert analyst.execute("SELECT benchmark FROM benchmarks").fetchall() == [("one",)]
        assert _new_process("store", "down", **home) == (0, "The embedded server is stopped.\n", "")
        _is_one_line(_new_process("store", "status", **home), "is stopped")
        assert "one@1" in _new_process("benchmark", "list", **home)[1]
    finally:
        _new_process("store", "down", **home)
    assert not embedded.is_running(folder)


def test_the_pool_survives_a_server_that_dropped_its_connections(workshop: Any) -> None:
    assert workshop.one("SELECT 1") == 1
    with psycopg.connect(database_url(), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert workshop.one("SELECT 1") == 1
    assert engine() is engine()
