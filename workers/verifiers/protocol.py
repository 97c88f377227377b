"""What every verifier is: a name, a version, and a judgement for each completion of one problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Outcome(StrEnum):
    """How a judgement ends. A wrong sample is a verdict; a broken verifier is `undecided`."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    UNDECIDED = "undecided"


class Reason(StrEnum):
    """Why a completion is incorrect, or why nothing could be decided."""

    WRONG_ANSWER = "wrong_answer"
    EXCEPTION = "exception"
    COMPILE_ERROR = "compile_error"
    CPU_TIME = "cpu_time"
    WALL_TIME = "wall_time"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    NO_ANSWER = "no_answer"
    FORBIDDEN = "forbidden"
    VERIFIER_ERROR = "verifier_error"


@dataclass(frozen=True)
class Problem:
    """One problem as a verifier sees it: its key in the benchmark, its prompt, and what the answer is held against."""

    key: str
    prompt: str
    reference_answer: str | None = None
    tests: str | None = None
    entry_point: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """One judgement: the outcome, why, the normalised answer voted on, the time it took, and details kept cold."""

    outcome: Outcome
    reason: Reason | None = None
    answer: str | None = None
    score: float | None = None
    seconds: float = 0.0
    detail: Mapping[str, Any] | None = None


class Verifier(Protocol):
    """Judges completions. `judge` returns one judgement a completion, in order, or raises `VerifierBroken`."""

    name: str
    version: str
    #: Whether judging costs so much that an equal completion's stored verdict is looked up first.
    expensive: bool

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]: ...

    def close(self) -> None: ...
