"""Whether what a program printed is what was expected: token by token, numbers to a tolerance.

The rules are those of CodeContests (Li et al. 2022, arXiv 2203.07814: tokens, without regard to case, numbers to 1e-5)
and of LiveCodeBench (line by line), one checker with three switches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store.errors import PassatkError

KINDS = ("tokens", "lines")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
#: Longer digits are compared as text: converting them costs time that grows with their square.
_LONGEST_NUMBER = 400
_SHOWN = 400


@dataclass(frozen=True)
class Checker:
    """How outputs are compared. `float_tolerance` is absolute, and relative too where a fraction is expected."""

    kind: str = "tokens"
    ignore_case: bool = False
    float_tolerance: float = 1e-5

    @classmethod
    def of(cls, described: Any) -> Checker:
        """From a problem's metadata: a kind's name, or a mapping. Raises PassatkError."""
        fields = {"kind": described} if isinstance(described, str) else dict(described or {})
        unknown = sorted(set(fields) - set(cls.__dataclass_fields__))
        if unknown or fields.get("kind", "tokens") not in KINDS:
            raise PassatkError(
                f"checker {described!r} is unknown: kind {' or '.join(KINDS)}, ignore_case, float_tolerance"
            )
        return cls(**fields)

    def difference(self, expected: str, output: bytes) -> Mapping[str, Any] | None:
        """None where the output is right, else the first place where it is not, with excerpts."""
        got = output.decode("utf-8", "replace")
        wanted, found = (expected.casefold(), got.casefold()) if self.ignore_case else (expected, got)
        where = self._tokens(wanted, found) if self.kind == "tokens" else self._lines(wanted, found)
        return None if where is None else {"difference": where, "expected": _cut(expected), "got": _cut(got)}

    def _tokens(self, expected: str, got: str) -> str | None:
        wanted, found = expected.split(), got.split()
        if wanted == found:
            return None
        if len(wanted) != len(found):
            return f"{len(wanted)} tokens expected, {len(found)} printed"
        for number, (one, other) in enumerate(zip(wanted, found, strict=True), start=1):
            if not self._same(one, other):
                return f"token {number}: expected {_cut(one, 80)!r}, got {_cut(other, 80)!r}"
        return None

    def _lines(self, expected: str, got: str) -> str | None:
        wanted, found = _stripped(expected), _stripped(got)
        if len(wanted) != len(found):
            return f"{len(wanted)} lines expected, {len(found)} printed"
        for number, (one, other) in enumerate(zip(wanted, found, strict=True), start=1):
            where = None if one == other else self._tokens(one, other)
            if where is not None:
                return f"line {number}: {where}"
        return None

    def _same(self, expected: str, got: str) -> bool:
        if expected == got:
            return True
        if max(len(expected), len(got)) > _LONGEST_NUMBER:
            return False
        if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(got)):
            return False
        if _INTEGER.fullmatch(expected) and _INTEGER.fullmatch(got):
            return int(expected) == int(got)
        return self._close(float(expected), float(got), relative=not _INTEGER.fullmatch(expected))

    def _close(self, expected: float, got: float, relative: bool) -> bool:
        scale = max(1.0, abs(expected)) if relative else 1.0
        # A number beyond floats is infinite on both sides, and their difference is no number: never close.
        return abs(expected - got) <= self.float_tolerance * scale < float("inf")


def _stripped(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _cut(text: str, length: int = _SHOWN) -> str:
    return text if len(text) <= length else text[: length - 4] + " ..."
