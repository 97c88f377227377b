"""What a reader of foreign files yields: problems, samples and verdicts as the file has them, and nothing invented.

Readers know nothing of the database. A count that a file does not give is None, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store.benchmark_formats import ProblemRecord

CORRECT, INCORRECT, UNDECIDED = "correct", "incorrect", "undecided"


@dataclass(frozen=True)
class Source:
    """A file or folder, and what the user said of it beyond its format."""

    path: Path
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class About:
    """What a file says of itself as a whole; None where it says nothing."""

    tool: str
    version: str | None = None
    benchmark: str | None = None
    #: Format of a benchmark made from the file's own problems; its usual verifier follows from it.
    benchmark_format: str = "jsonl"
    model: str | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    #: Part of the tool's verdicts that is taken as the truth; None where there is but one or it has no name.
    reference: str | None = None
    #: Further things worth keeping with the run: hashes, dates, settings.
    tags: Mapping[str, Any] = field(default_factory=dict)
    #: Whether outcomes may have decided how many samples were drawn.
    stopped_early: bool = False


@dataclass(frozen=True)
class ImportedVerdict:
    """A verdict made elsewhere. `part` tells a tool's several verifiers apart: base and plus, or a scorer's name."""

    outcome: str
    reason: str | None = None
    answer: str | None = None
    score: float | None = None
    part: str | None = None
    steps: Sequence[float] | None = None
    seconds: float = 0.0
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ImportedSample:
    """One completion with what the file says of it. `index` None: the next of its problem in the file."""

    completion: str
    index: int | None = None
    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    request_samples: int | None = None
    finish_reason: str | None = None
    cumulative_logprob: float | None = None
    latency_seconds: float | None = None
    seed: int | None = None
    verdicts: Sequence[ImportedVerdict] = ()
    #: Field of the file the text was read from, for messages.
    field: str = "completion"


@dataclass(frozen=True)
class ProblemName:
    """How a file names a problem: keys a benchmark may have for it (the first is what a new one calls it), or texts.

    `position` counts only where a file has neither.
    """

    keys: Sequence[str] = ()
    texts: Sequence[str] = ()
    position: int | None = None

    def __str__(self) -> str:
        if self.keys:
            return f'problem "{self.keys[0]}"'
        return "problem with this prompt" if self.texts else f"problem at position {self.position}"


@dataclass(frozen=True)
class ImportedGroup:
    """Samples of one problem, found at `place`. `prompt` is what the model was given, where the file has it whole.

    `again`: the same samples were met in the file before, and only their verdicts are new.
    """

    place: str
    problem: ProblemName
    samples: Sequence[ImportedSample]
    record: ProblemRecord | None = None
    prompt: str | None = None
    again: bool = False


@dataclass(frozen=True)
class Skipped:
    """A record that holds no sample to keep, and why."""

    place: str
    why: str


@dataclass(frozen=True)
class Fault:
    """A record that cannot be read: a line for the report."""

    message: str


Item = ImportedGroup | Skipped | Fault


def judged(correct: bool, **values: Any) -> ImportedVerdict:
    """A verdict of a tool that says yes or no."""
    reason = None if correct else values.pop("reason", None)
    values.pop("reason", None)
    return ImportedVerdict(CORRECT if correct else INCORRECT, reason, **values)
