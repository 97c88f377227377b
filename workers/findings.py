"""What an examination finds: ok, a warning or a failure, with how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line of the report; `mend` is empty where nothing is to be mended."""

    subject: str
    state: Literal["ok", "warn", "fail"]
    text: str
    mend: str = ""


class Trouble(Exception):
    """A check found what must be mended."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend


def fine(subject: str, text: str) -> Finding:
    """Nothing to mend."""
    return Finding(subject, "ok", text)


def warning(subject: str, text: str, mend: str) -> Finding:
    """It works, and somebody should look at it."""
    return Finding(subject, "warn", text, mend)
