"""Every verifier that can be named is one: what the judging code asks of it is there."""

from __future__ import annotations

import pytest

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
