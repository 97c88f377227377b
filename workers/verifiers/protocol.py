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
class GeneratedTest:
    """A test that a model wrote: program text, or the input of a stdin test with the output it expects."""

    test_id: int
    code: str
    expected: str | None = None


@dataclass(frozen=True)
class Problem:
    """One problem as a verifier sees it: its key in the benchmark, its prompt, and what the answer is held against.

    `generated_tests` are filled in for verifiers that name a `suite`.
    """

    key: str
    prompt: str
    reference_answer: str | None = None
    tests: str | None = None
    entry_point: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    generated_tests: Sequence[GeneratedTest] = ()


@dataclass(frozen=True)
class OutcomeOfTest:
    """How a completion fared on one generated test."""

    test_id: int
    outcome: Outcome
    reason: Reason | None = None


@dataclass(frozen=True)
class JudgingCost:
    """What a judgement by a model cost. Unknown values are None, never zero.

    The model is named by its row's key, or by `model`, its name: then the row is found or made when the verdict is
    written. Times are device seconds.
    """

    model_id: int | None = None
    model: str | None = None
    requests: int = 1
    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    gpu_seconds: float | None = None


@dataclass(frozen=True)
class Environment:
    """Where verdicts are made: the sandbox tier (`host` where no program is run, `none` without a sandbox) and the
    versions that could change a verdict."""

    tier: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """One judgement: the outcome, why, the normalised answer voted on, the time it took, and details kept cold.

    `answer_class`: the answer that stands for all equivalent ones (None: the answer itself). `weak`: whether the tests
    had to share the candidate's process (None where no program ran). `tests`: outcomes of generated tests. `steps`:
    scores of the completion's steps, in order. `cost`: what a model's judgement took.
    """

    outcome: Outcome
    reason: Reason | None = None
    answer: str | None = None
    score: float | None = None
    seconds: float = 0.0
    detail: Mapping[str, Any] | None = None
    answer_class: str | None = None
    weak: bool | None = None
    tests: Sequence[OutcomeOfTest] = ()
    steps: Sequence[float] | None = None
    cost: JudgingCost | None = None


class Verifier(Protocol):
    """Judges completions. `judge` returns one judgement a completion, in order, or raises `VerifierBroken`.

    A verifier may also have `environment() -> Environment` (asked once, after its first judgement; default: the host's)
    and `suite: str`, the generated tests it wants in `Problem.generated_tests`; and `classes(problem, answers, known)`,
    which says what answers mean the same (see workers.answer_classes).
    """

    name: str
    version: str
    #: Whether judging costs so much that an equal completion's stored verdict is looked up first.
    expensive: bool

    def judge(self, problem: Problem, completions: Sequence[str]) -> list[Judgement]: ...

    def close(self) -> None: ...
