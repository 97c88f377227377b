"""What a program is held to, what is run, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Limits:
    """Per program. CPU time decides; the wall limit only catches programs that wait. Bytes are bytes.

    `output_bytes` bounds what is printed and each file written; `answer_bytes` one value handed to the tests.
    """

    cpu_seconds: float = 3.0
    wall_seconds: float | None = None
    memory_bytes: int = 512 << 20
    output_bytes: int = 1 << 20
    answer_bytes: int = 8 << 20

    @property
    def wall(self) -> float:
        """Wall limit in seconds; where none is set, twice the CPU limit and a little."""
        return self.wall_seconds if self.wall_seconds is not None else 2 * self.cpu_seconds + 1.0

    def as_detail(self) -> dict[str, object]:
        """The limits as they are kept with a verdict."""
        return {
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": self.wall,
            "memory_bytes": self.memory_bytes,
            "output_bytes": self.output_bytes,
        }


@dataclass(frozen=True)
class TestPlan:
    """The tests of one problem.

    `prompt`: code that the tests may use besides (its functions and imports), "" for none. `tests`: Python source.
    `entry_point`: the function handed to the tests' `check`; None where the tests are bare assertions.
    `shared_process`: whether the tests must run inside the candidate's process (weak: they can be tampered with there).
    `collect`: a global of the tests whose value, plain data, comes back in the report's detail where all tests pass.
    """

    __test__ = False

    tests: str
    entry_point: str | None = None
    prompt: str = ""
    shared_process: bool = False
    collect: str | None = None


@dataclass(frozen=True)
class InputPlan:
    """The inputs that whole programs are run on, in order, and who accepts what they print.

    `accepts(at, output)`: None where the output on input `at` is right, else what is wrong with it. It runs in the
    worker: expected outputs never enter the sandbox. With `go_on` a failure does not end a program's trial, and its
    report's detail has all `outcomes`: None, or the reason.
    """

    inputs: Sequence[str]
    accepts: Callable[[int, bytes], Mapping[str, Any] | None]
    go_on: bool = False


@dataclass(frozen=True)
class MatrixPlan:
    """Generated tests as source: each judges each program by itself, and a report's detail has all `outcomes`.

    An outcome is None where the test passes, else the reason why not.
    """

    tests: Sequence[str]
    entry_point: str


@dataclass(frozen=True)
class Report:
    """How one program fared. Outcome and reason are words of `workers.verifiers.protocol`."""

    outcome: str
    reason: str | None
    cpu_seconds: float
    wall_seconds: float
    integrity: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Programs of one problem, judged one after the other."""

    plan: TestPlan
    programs: Sequence[str]
