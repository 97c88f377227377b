"""Every verifier that can be named is one: what the judging code asks of it is there."""

from __future__ import annotations

import pytest

from workers.verifiers import VERIFIERS, open_verifier


@pytest.mark.parametrize("name", sorted(VERIFIERS))
def test_has_what_is_asked_of_a_verifier(name: str) -> None:
    verifier = open_verifier(name)
    assert verifier.name == name
    assert isinstance(verifier.version, str)
    assert verifier.version
    assert isinstance(verifier.expensive, bool)
    assert callable(verifier.judge)
    verifier.close()
    verifier.close()
