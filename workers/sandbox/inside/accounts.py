"""What is known of a candidate's doings: how it was stopped, what it raised, what the kernel says of its end."""

from __future__ import annotations

from dataclasses import dataclass


class Stopped(BaseException):
    """The candidate was ended or ended itself; `why` is a reason of the glossary or `gone`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NeedsSharedProcess(BaseException):
    """The tests pass something that cannot cross to another process."""


class Opaque:
    """Stands for a result that is no plain data: equal to nothing but itself, with no behaviour to rely on."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __reduce__(self) -> str:
        raise TypeError("it exists on one side of the border only")

    def __repr__(self) -> str:
        return f"<{self._kind}, not plain data>"


class OtherError(Exception):
    """An exception of a class that only the candidate knows."""


@dataclass
class Raised:
    """What the candidate said of an exception of its own."""

    kinds: list[str]
    message: str
    where: str
    number: int | None
    in_tests: bool


@dataclass
class Ended:
    """How the candidate's process ended, from the kernel, and what it had printed."""

    status: int = 0
    cpu_seconds: float = 0.0
    largest_kb: int = 0
    by_itself: bool = False
    printed: int = 0
    tail: str = ""
