"""Which problems a reader asks to see: questions to its counts in one run and across runs. No Streamlit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.charts.rate_bins import RateBin

Row = Mapping[str, Any]
#: From this difference of shares on, runs are widely apart on a problem.
_APART = 0.5
ALL = "all"
#: The choice that means: whatever a problem is tagged with.
ANY_TAG = "any"
#: The choice that means: whatever share of its samples is correct.
ANY_RATE = "any"


@dataclass(frozen=True)
class Counts:
    """A problem in the run of the page (`row`), and its share correct in every run that judged it, by run."""

    row: Row
    run: str
    shares: Mapping[str, float]

    @property
    def n(self) -> int:
        return self.row["n"] or 0

    @property
    def c(self) -> int:
        return self.row["c"] or 0

    @property
    def others(self) -> list[float]:
        return [share for run, share in self.shares.items() if run != self.run]


def _apart(one: Counts) -> bool:
    return bool(one.shares) and max(one.shares.values()) - min(one.shares.values()) >= _APART


#: name in the address -> whether a problem belongs to it.
FILTERS: dict[str, Callable[[Counts], bool]] = {
    ALL: lambda one: True,
    "never solved": lambda one: one.n > 0 and one.c == 0,
    "sometimes": lambda one: 0 < one.c < one.n,
    "always solved": lambda one: one.n > 0 and one.c == one.n,
    "majority wrong": lambda one: one.row["majority_correct"] is False and one.c > 0,
    "undecided": lambda one: bool(one.row["undecided"]),
    "only this run": lambda one: one.c > 0 and bool(one.others) and not any(one.others),
    "no run": lambda one: bool(one.shares) and not any(one.shares.values()),
    "runs apart": _apart,
    "set aside": lambda one: bool(one.row["quarantined"]),
}
MEANING = (
    "`majority wrong`: some samples are right and the commonest answer is not. "
    "`only this run` solves it, `no run` does: "
    "among the runs of the heatmap. `runs apart`: their shares differ by 50 points or more. `set aside`: quarantined."
)


def matching(
    records: list[dict[str, Any]],
    which: str,
    run: str,
    rates: Mapping[str, Mapping[str, tuple[int, int]]],
    tag: str = ANY_TAG,
    rate: RateBin | None = None,
) -> list[dict[str, Any]]:
    """The records that a filter, a tag and a range of pass rates keep; `rates` has (n, c) by problem within run."""
    kept = []
    for row in records:
        found = {name: problems.get(row["problem"], (0, 0)) for name, problems in rates.items()}
        shares = {name: c / n for name, (n, c) in found.items() if n}
        fits = rate is None or rate.holds(row["c"] or 0, row["n"] or 0)
        if fits and FILTERS[which](Counts(row, run, shares)) and (tag == ANY_TAG or tag in tags_of(row)):
            kept.append(row)
    return kept


def tags_of(row: Row) -> list[str]:
    """The words that the benchmark files a problem under."""
    words: list[str] = json.loads(row["tags"] or "[]")
    return words


def tags_used(records: Iterable[Row]) -> list[str]:
    """Every tag of the problems, the commonest first."""
    counted = Counter(word for row in records for word in tags_of(row) if word != ANY_TAG)
    return sorted(counted, key=lambda word: (-counted[word], word))
