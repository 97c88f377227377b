"""Options that several commands take: NAME=VALUE pairs, and doing without a sandbox."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from store.errors import PassatkError
from workers.sandbox.limits import Limits
from workers.sandbox.tiers import FORCED_VALUE, UNSAFE_VARIABLE, open_sandbox
from workers.verifiers.spec import parse_verifier


def named_values(texts: Iterable[str], what: str) -> dict[str, Any]:
    """`NAME=VALUE` texts as a mapping; a value that is JSON counts as such. Raises PassatkError."""
    found: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise PassatkError(f'{what} "{text}" must be NAME=VALUE, as in max_num_seqs=128.')
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def verifier_with(text: str, options: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """(name, options) of a verifier given as NAME or NAME:OPTION=VALUE, with more beside. Raises PassatkError."""
    name, given = parse_verifier(text)
    return name, given | named_values(options, "Verifier option")


def without_sandbox() -> None:
    """Let this process and all it starts run programs without a sandbox; each verdict names tier `none`."""
    os.environ[UNSAFE_VARIABLE] = FORCED_VALUE


def sandbox_tier() -> str:
    """The tier that holds on this machine, by trying it. Raises SandboxUnavailable with what to install."""
    sandbox = open_sandbox(Limits())
    sandbox.close()
    return sandbox.tier
