"""Every verifier that can be named is one: what the judging code asks of it is there."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from workers.verifier_cli import verifier as verifier_command
from workers.verifiers import VERIFIERS, open_verifier

#: What some must be told before they open; those that need another program are opened in tests of their own.
OPTIONS = {"reward": {"model": "hub/name"}, "judge": {"model": "any"}}
NEED_PROGRAMS = {"coq", "lean", "swebench"}


@pytest.mark.parametrize("name", sorted(set(VERIFIERS) - NEED_PROGRAMS))
def test_has_what_is_asked_of_a_verifier(name: str) -> None:
    verifier = open_verifier(name, OPTIONS.get(name))
    assert verifier.name == name
    assert isinstance(verifier.version, str)
    assert verifier.version
    assert isinstance(verifier.expensive, bool)
    assert callable(verifier.judge)
    verifier.close()
    verifier.close()


def test_the_list_names_every_verifier_and_why_one_cannot_be_opened_as_it_is() -> None:
    said = CliRunner().invoke(verifier_command, ["list"], catch_exceptions=False).output
    lines = [line for line in said.splitlines() if not line.startswith(" ")]
    assert [re.split(r"[@ ]", line)[0] for line in lines] == sorted(VERIFIERS)
    assert 'Verifier "judge" needs model; its options: model, base_url' in said
