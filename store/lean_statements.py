"""Theorems in Lean files: name, binders and goal, as a statement that a proof is checked against."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store.benchmark_formats import ProblemRecord

_THEOREM = re.compile(r"^(?:theorem|lemma)\s+(?P<name>[^\s:({\[⦃]+)", re.MULTILINE)
_COMMENT = re.compile(r"/-.*?-/|--[^\n]*", re.DOTALL)
_OPENING, _CLOSING = "([{⟨⦃", ")]}⟩⦄"


@dataclass(frozen=True)
class Theorem:
    """One theorem without its proof; `statement` is a proposition with the binders as a ∀."""

    name: str
    statement: str
    start: int


def without_comments(text: str) -> str:
    """The text with every comment taken out."""
    return _COMMENT.sub("", text)


def theorems(text: str) -> list[Theorem]:
    """The theorems of a Lean file (comments taken out first), in order."""
    bare = without_comments(text)
    found = []
    for match in _THEOREM.finditer(bare):
        colon = _at_top_level(bare, match.end(), ":")
        end = _at_top_level(bare, colon + 1, ":=") if colon >= 0 else -1
        if end < 0:
            continue
        binders, goal = " ".join(bare[match.end() : colon].split()), " ".join(bare[colon + 1 : end].split())
        found.append(Theorem(match["name"], f"∀ {binders}, {goal}" if binders else goal, match.start()))
    return found


def _at_top_level(text: str, begin: int, wanted: str) -> int:
    """Where `wanted` stands outside of every bracket; -1 where it does not."""
    depth = 0
    for place in range(begin, len(text)):
        depth += (text[place] in _OPENING) - (text[place] in _CLOSING)
        if depth == 0 and text.startswith(wanted, place) and (wanted == ":=" or not text.startswith(":=", place)):
            return place
    return -1


def header_of(text: str) -> str:
    """What stands before a file's first theorem: imports, options, opened names."""
    bare = without_comments(text)
    first = _THEOREM.search(bare)
    return "\n".join(line for line in bare[: first.start() if first else None].splitlines() if line.strip())


def theorem_record(theorem: Theorem, key: str, header: str, metadata: Mapping[str, Any]) -> ProblemRecord:
    """A problem whose prompt ends where the proof begins, in the words the verifier checks it by."""
    prompt = "\n\n".join(filter(None, [header, f"theorem {theorem.name} : {theorem.statement} := by\n"]))
    known = {"theorem": theorem.name, "statement": theorem.statement, "header": header}
    return ProblemRecord(key, prompt, entry_point=None, metadata={**metadata, **known})
