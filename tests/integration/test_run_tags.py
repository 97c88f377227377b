"""`passatk run tag` and `run create --tag`: words to file runs under."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from workers.cli import create
from workers.run_control import tag_command


@pytest.fixture
def run(workshop: Any) -> Any:
    return workshop.run(name="big")


def _tag(*arguments: str) -> str:
    done = CliRunner().invoke(tag_command, ["big", *arguments])
    return done.output if done.exception is None else str(done.exception)


@pytest.mark.usefixtures("run")
def test_tags_are_put_on_and_taken_off(workshop: Any) -> None:
    assert _tag() == "Run big has no tags.\n"
    assert _tag("paper", " nightly ", "paper") == "Run big has the tags nightly, paper.\n"
    assert workshop.one("SELECT tags FROM store.runs") == ["nightly", "paper"]
    assert _tag("paper", "--remove") == "Run big has the tags nightly.\n"
    assert _tag() == "Run big has the tags nightly.\n"


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a,b"], '"a,b" cannot be a tag'),
        ([" "], '"" cannot be a tag'),
        (["x" * 41], "1 to 40 printable characters"),
        (["a\x1b[1m"], "cannot be a tag"),
        (["gone", "--remove"], 'Run big has no tag "gone"; it has none.'),
        ([f"t{n}" for n in range(51)], "50 is the most"),
    ],
)
def test_what_is_no_tag_is_said_and_changes_nothing(workshop: Any, arguments: list[str], complaint: str) -> None:
    assert complaint in _tag(*arguments)
    assert workshop.one("SELECT tags FROM store.runs") == []


def test_a_run_is_created_under_its_tags(workshop: Any) -> None:
    workshop.benchmark()
    asked = ["--benchmark", "sums", "--model", "tiny", "--samples", "4", "--name", "new", "--tag", "b", "--tag", "a"]
    assert CliRunner().invoke(create, asked, catch_exceptions=False).exit_code == 0
    assert workshop.one("SELECT tags FROM store.runs") == ["a", "b"]
