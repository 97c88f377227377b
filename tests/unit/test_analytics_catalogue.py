"""The catalogue of queries, their parameters, the lattice of budgets, and answers as text."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.analytics import k_lattice
from store.analytics.concepts import catalogue, concept, parse_concept
from store.analytics.errors import BadParameter, SourceUnreachable, UnknownParameter, UnknownQuery
from store.analytics.literals import literal
from store.analytics.parameters import checked
from store.analytics.queries import _ANSWERS
from store.analytics.rendering import rendered
from store.analytics.store_address import shown_address, store_address
from store.settings import StoreSettings


def test_every_catalogued_query_has_an_answer_and_every_answer_its_entry() -> None:
    assert set(catalogue()) == set(_ANSWERS)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_entry_says_what_it_answers(name: str) -> None:
    entry = concept(name)
    assert entry.title
    assert entry.question.endswith("?")
    assert entry.grain.startswith("one row")
    assert entry.source
    assert len({column.name for column in entry.columns}) == len(entry.columns) > 0
    assert entry.sql.split()[0] in ("WITH", "SELECT")


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_no_query_has_a_window_over_all_rows(name: str) -> None:
    """DuckDB 1.5 fails now and then on one of few rows, and answers nobody afterwards (its issue 25713)."""
    assert "OVER()" not in concept(name).sql.upper().replace(" ", "")


def test_an_unknown_query_names_the_known_ones() -> None:
    with pytest.raises(UnknownQuery, match=r'No query "covrage"; there are: .*coverage'):
        concept("covrage")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "lacks"),
        ("-- title: A\n-- nonsense here\nSELECT 1", "not a header line"),
        ("-- parameter run: names\nSELECT 1", "parameter run is not"),
        ("-- title: A\n-- question: B?\n-- grain: one row\n-- source: C\nSELECT 1", "lacks columns"),
    ],
)
def test_a_broken_header_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_concept("broken", text)


def test_parameters_are_typed_and_defaults_known() -> None:
    entry = concept("coverage")
    assert checked(entry, {"run": "a", "k": [10, "1", 10]}) == {
        "run": ["a"],
        "verifier": None,
        "k": [1, 10],
        "policy": "strict",
        "quarantined": "include",
    }
    assert checked(concept("samples"), {"run": "a", "problem": "p"})["limit"] == 50


@pytest.mark.parametrize(
    ("given_parameters", "message"),
    [
        ({}, "needs run"),
        ({"run": []}, "run is empty"),
        ({"run": "a", "k": 0}, "k = 0 is not between 1"),
        ({"run": "a", "k": [1.5]}, "must be a whole number"),
        ({"run": "a", "k": "many"}, "must be a whole number"),
        ({"run": "a", "k": True}, "must be a whole number"),
        ({"run": 7}, "must be a name"),
        ({"run": "a", "policy": "lenient"}, "must be one of strict, complete_case, bounds"),
    ],
)
def test_bad_values_are_one_clear_line(given_parameters: dict[str, object], message: str) -> None:
    with pytest.raises(BadParameter, match=message):
        checked(concept("coverage"), given_parameters)


def test_unknown_parameters_name_the_known_ones() -> None:
    with pytest.raises(UnknownParameter, match='no parameter "runs"; it takes run, verifier, k, policy'):
        checked(concept("coverage"), {"runs": "a"})
    with pytest.raises(UnknownParameter, match="it takes none"):
        checked(concept("run_summary"), {"run": "a"})


def test_filled_text_carries_literals() -> None:
    sql = concept("coverage").filled(
        {"run_ids": [1, 2], "verifier_ids": [3, 3], "k": [1, 10], "quarantined": "include"}
    )
    assert "unnest(ARRAY[1, 2])" in sql
    assert "$" not in sql


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "NULL"),
        (True, "true"),
        (3, "3"),
        ("it's", "'it''s'"),
        (["a", "b'"], "ARRAY['a', 'b''']"),
        (date(2026, 1, 31), "DATE '2026-01-31'"),
    ],
)
def test_literals(value: bool | int | str | list[str] | date | None, expected: str) -> None:
    assert literal(value) == expected


@given(st.integers(1, 100_000))
def test_the_lattice_is_shared(largest: int) -> None:
    lattice = k_lattice(largest)
    assert lattice[0] == 1
    assert lattice[-1] == largest
    assert lattice == sorted(set(lattice))
    assert {10**power for power in range(6) if 10**power <= largest} <= set(lattice)
    assert set(lattice) - {largest} <= set(k_lattice(1_000_000))


def test_the_lattice_of_nothing_is_empty() -> None:
    assert k_lattice(0) == []


ROWS = [("a,b", 1234, 0.12345678901234567, None, True, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))]
COLUMNS = ("name", "n", "share", "nothing", "yes", "at")


def test_csv_and_json_keep_every_digit_and_say_null() -> None:
    record = json.loads(rendered(COLUMNS, ROWS, "json"))[0]
    assert record == {
        "name": "a,b",
        "n": 1234,
        "share": 0.12345678901234567,
        "nothing": None,
        "yes": True,
        "at": "2026-01-02T03:04:05+00:00",
    }
    row = next(csv.DictReader(io.StringIO(rendered(COLUMNS, ROWS, "csv"))))
    assert row["name"] == "a,b"
    assert float(row["share"]) == 0.12345678901234567
    assert row["nothing"] == ""


def test_json_has_no_numbers_that_json_lacks() -> None:
    text = rendered(("a", "b", "c"), [(float("nan"), Decimal("3"), Decimal("3.5"))], "json")
    assert json.loads(text) == [{"a": None, "b": 3, "c": 3.5}]


def test_json_keeps_columns_of_one_name_apart() -> None:
    assert json.loads(rendered(("a", "a", "a_2", "a"), [(1, 2, 3, 4)], "json")) == [
        {"a": 1, "a_2": 2, "a_2_2": 3, "a_3": 4}
    ]


def test_texts_of_models_do_not_steer_the_terminal() -> None:
    text = rendered(("x",), [("a\x1b[31mred\x9b2J\u202eright \0 ümläut 💥",)], "table")
    assert text.splitlines()[1] == r"a\x1b[31mred\x9b2J\u202eright \x00 ümläut 💥"


def test_the_table_is_for_reading() -> None:
    lines = rendered(COLUMNS, ROWS, "table", {"share": "share", "n": "samples"}).splitlines()
    assert lines[1].split() == ["a,b", "1,234", "12.35", "%", "-", "yes", "2026-01-02", "03:04:05"]
    assert rendered(COLUMNS, [], "table").split() == list(COLUMNS)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql://me@host/db?password=secret&sslmode=require", "postgresql://me@host/db?sslmode=require"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_passwords_are_not_shown(address: str, shown: str) -> None:
    assert shown_address(address) == shown


def test_a_stale_pid_file_is_a_server_that_does_not_run(tmp_path: object) -> None:
    from pathlib import Path

    home = Path(str(tmp_path))
    (home / "postgres").mkdir()
    (home / "postgres" / "postmaster.pid").write_text("999999999\n/x\n1\n5432\n/tmp\n\n")
    settings = StoreSettings(home=home, database_url=None, mirror=home / "mirror")
    with pytest.raises(SourceUnreachable, match="passatk store up"):
        store_address(settings)


def test_the_documented_catalogue_is_the_catalogue_of_this_version() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sql" / "queries.md").read_text(encoding="utf-8")
    listed = {line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")}
    # A query may be newer than the page; one that is gone may not stay on it.
    assert listed <= set(catalogue())
