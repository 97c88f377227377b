"""Links: what a page's address says, what of it is known, and what must be said about the rest. No Streamlit here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: What a widget's value can be; several values repeat the parameter.
Value = str | int | Sequence[str] | None


@dataclass
class Link:
    """The parameters of an address, read one by one; what is not known is collected in `ignored`, as sentences."""

    asked: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)

    def one(self, name: str, known: Sequence[str]) -> str | None:
        """The value of a parameter when it is among the known ones."""
        values = self.many(name, known)
        return values[0] if values else None

    def many(self, name: str, known: Sequence[str]) -> list[str] | None:
        """The known values of a parameter in the order asked; None when the address does not name it, or none of it."""
        self.read.add(name)
        if name not in self.asked:
            return None
        values = [value for value in self.asked[name] if value]
        unknown = [value for value in values if value not in known]
        if unknown:
            self.ignored.append(f"{name} {_quoted(unknown)}, which this snapshot does not have")
        return [value for value in dict.fromkeys(values) if value in known] or None

    def text(self, name: str) -> str | None:
        """Any text."""
        self.read.add(name)
        return self.asked[name][-1] if self.asked.get(name) else None

    def number(self, name: str, low: int, high: int) -> int | None:
        """A whole number inside [low, high]."""
        value = self.text(name)
        if value is None:
            return None
        if not value.isdecimal() or not low <= int(value) <= high:
            self.ignored.append(f"{name} {_quoted([value])}, which is not a whole number from {low:,} to {high:,}")
            return None
        return int(value)

    def decimal(self, name: str) -> float | None:
        """A number; None where none is named, or the address names none on purpose."""
        value = self.text(name)
        if not value:
            return None
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.ignored.append(f"{name} {_quoted([value])}, which is not a number")
            return None
        return number

    def said(self) -> str | None:
        """One sentence about everything in the address that could not be used, or None."""
        extra = [name for name in self.asked if name not in self.read and not name.startswith("embed")]
        parts = [*self.ignored, *(f"{name}, which this page does not know" for name in extra)]
        return f"This link asks for {'; '.join(parts)}. The rest of it is shown." if parts else None


def written(values: Mapping[str, Value]) -> dict[str, list[str]]:
    """An address's parameters with every value of a page in it, so that later defaults cannot change what it means."""
    return {
        name: [str(value)] if isinstance(value, str | int) else list(value)
        for name, value in values.items()
        if value is not None
    }


def _quoted(values: Sequence[str]) -> str:
    shown = ", ".join(f'"{value[:60]}"' for value in values[:5])
    return shown if len(values) <= 5 else f"{shown} and {len(values) - 5} more"
