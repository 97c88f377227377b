"""Numbers as they are written on pages."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard import wording
from dashboard.links import Link, written
from dashboard.tables import csv_text, separated
from dashboard.views.problems import even_chance


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.8479, "84.8 %"), (1.0, "100 %"), (0.99999, ">99.9 %"), (0.0, "0 %"), (0.00001, "<0.1 %"), (None, "—")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float | None, text: str) -> None:
    assert wording.percent(share) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(None, "—"), (0.0, "$0"), (0.00001234, "$0.0000123"), (0.5, "$0.500"), (1234.5, "$1,234.50"), (float("inf"), "∞")],
)
def test_dollars_keep_three_digits(amount: float | None, text: str) -> None:
    assert wording.dollars(amount) == text


def test_an_interval_stands_beside_its_share() -> None:
    assert wording.percent_with(0.848, 0.791, 0.902) == "84.8 % (79.1–90.2)"
    assert wording.percent_with(0.848, None, None) == "84.8 %"


def test_ages_are_said_in_the_largest_unit() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    said = [wording.ago(now - timedelta(seconds=s), now) for s in (3, 42, 200, 7300, 200_000)]
    assert said == ["just now", "42 s ago", "3 min ago", "2 h ago", "2 d ago"]


def test_unknown_parts_of_a_link_are_said_and_known_ones_used() -> None:
    link = Link({"run": ["here", "gone"], "k": ["7"], "colour": ["red"]})
    assert link.many("run", ["here"]) == ["here"]
    assert link.number("k", 1, 10) == 7
    said = link.said()
    assert said is not None
    assert '"gone"' in said
    assert "colour" in said
    assert "here" not in said.replace('"gone"', "")


def test_a_number_out_of_range_is_said() -> None:
    link = Link({"k": ["900"]})
    assert link.number("k", 1, 100) is None
    assert "900" in str(link.said())


def test_a_link_that_is_wholly_known_says_nothing() -> None:
    link = Link({"run": ["a"], "embed": ["true"]})
    link.one("run", ["a", "b"])
    assert link.said() is None


def test_a_written_link_holds_every_value() -> None:
    assert written({"run": ["a", "b"], "k": 10, "none": None}) == {"run": ["a", "b"], "k": ["10"]}


def test_an_export_keeps_every_digit() -> None:
    assert csv_text([{"k": 1, "coverage": 0.1234567890123}]) == "k,coverage\n1,0.1234567890123\n"
    assert csv_text([]) == ""


@pytest.mark.parametrize(
    ("n", "c", "k"), [(100, 50, "1"), (100, 0, "> 100"), (100, 1, "50"), (10, 10, "1"), (0, 0, "—"), (4, 1, "2")]
)
def test_tries_for_an_even_chance(n: int, c: int, k: str) -> None:
    assert even_chance(n, c) == k


def test_a_command_in_a_sentence_is_code_and_a_name_is_no_mark() -> None:
    said = wording.told("No price for *m_1*: `passatk price set --model m_1 ...` stores one.")
    assert said == r"No price for \*m\_1\*\: `passatk price set --model m_1 ...` stores one\."
    assert wording.told("a `b") == r"a \`b"
    assert "](" not in wording.told("`x` [a](http://evil.example) `y`")


def test_whole_numbers_of_a_table_get_separators_and_nothing_else_does() -> None:
    rows = [{"k": None, "share": 1.5, "yes": True, "name": "x"}, {"k": 11_204, "share": 2, "yes": None, "name": "y"}]
    assert list(separated(rows)) == ["k"]
