"""Problems in bins of their pass rate c/n; a bin has a name for addresses, so that a link can ask for its problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Upper edges of the bins of a pass rate, about two to a decade.
_EDGES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
#: The names of the bins at both ends.
NEVER, ALWAYS = "never", "always"
#: What a name in an address looks like, for whoever wrote another one.
NAMES = f'"{NEVER}", "{ALWAYS}" or two shares such as 0.1..0.3'


@dataclass(frozen=True)
class RateBin:
    """Pass rates in (low, high]; those of problems never (0) or always (1) solved have bins of their own."""

    low: float
    high: float

    def holds(self, c: int, n: int) -> bool:
        """Whether a problem with c of n samples correct belongs here; one without a judged sample belongs nowhere."""
        if not n:
            return False
        if self.low == self.high:
            return c / n == self.low
        return self.low < c / n <= self.high and 0 < c < n

    @property
    def never(self) -> bool:
        return self.high == 0

    @property
    def name(self) -> str:
        """Its name in an address: `never`, `always`, or LOW..HIGH."""
        if self.low == self.high:
            return NEVER if self.never else ALWAYS
        return f"{self.low:g}..{self.high:g}"

    @property
    def label(self) -> str:
        """Its name beside an axis, in percent."""
        if self.low == self.high:
            return self.name
        low, high = f"{100 * self.low:g}", f"{100 * self.high:g}"
        if self.low == 0:
            return f"up to {high} %"
        return f"{low}–{high} %" if self.high < 1 else f"over {low} %"


@dataclass(frozen=True)
class PassRateBin(RateBin):
    """A bin and how many problems it holds."""

    problems: int = 0


def bin_named(name: str) -> RateBin | None:
    """The bin with this name in an address, whichever edges a histogram has now; None where it is no such name."""
    if name in (NEVER, ALWAYS):
        return RateBin(0, 0) if name == NEVER else RateBin(1, 1)
    try:
        low, high = (float(share) for share in name.split(".."))
    except ValueError:
        return None
    return RateBin(low, high) if 0 <= low < high <= 1 else None


def pass_rate_bins(records: Sequence[Mapping[str, Any]]) -> list[PassRateBin]:
    """Bins over problems with n > 0: never solved, log bins from 1/n up, every sample correct."""
    judged = [(row["c"], row["n"]) for row in records if row["n"]]
    most = max((n for _, n in judged), default=1)
    edges = [edge for edge in _EDGES if edge * most >= 1]
    bounds = [(0.0, 0.0), *zip([0.0, *edges], [*edges, 1.0], strict=True), (1.0, 1.0)]
    return [PassRateBin(low, high, sum(RateBin(low, high).holds(c, n) for c, n in judged)) for low, high in bounds]
