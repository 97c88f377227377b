"""Checks of the data behind every page: named, counted, and saying what to do. No Streamlit here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from store.analytics.literals import quoted

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One run in which a check found something: how many of what, and the advice."""

    run: str
    found: int
    of: str
    advice: str


@dataclass(frozen=True)
class Check:
    """A question to every run's summary; `count` is 0 where all is well, and `expression` is the same count in SQL."""

    name: str
    why: str
    of: str
    count: Callable[[Row], int]
    expression: str
    advice: str

    def sql(self, summary: str, run: str | None = None) -> str:
        """The text that returns the same findings; `summary` is the SQL of the query `run_summary`."""
        name = f" AND run = {quoted(run)}" if run is not None else ""
        return (
            f'SELECT run, {self.expression} AS "{self.of}"\n'
            f"FROM (\n{summary}\n) AS summary\nWHERE {self.expression} > 0{name}\nORDER BY 2 DESC, run"
        )

    def findings(self, rows: Iterable[Row]) -> list[Finding]:
        """What the check finds, the most first."""
        found = [Finding(row["run"], self.count(row), self.of, self.advice.format(**row)) for row in rows]
        return sorted((one for one in found if one.found), key=lambda one: -one.found)


def _missing(row: Row) -> int:
    wanted = (row["samples_per_problem"] or 0) * (row["problems"] or 0)
    return max(0, wanted - (row["samples"] or 0))


def _unjudged(row: Row) -> int:
    return max(0, (row["samples"] or 0) - (row["judged"] or 0) - (row["undecided"] or 0))


CHECKS = (
    Check(
        "Samples short of the target",
        "A run that is not complete ends its curves early.",
        "samples missing",
        _missing,
        "greatest(0, coalesce(samples_per_problem, 0) * coalesce(problems, 0) - samples)",
        "passatk run start {run}",
    ),
    Check(
        "Samples without a verdict",
        "They are in no curve until the reference verifier has judged them.",
        "samples unjudged",
        _unjudged,
        "greatest(0, samples - judged - undecided)",
        "passatk verify --run {run}",
    ),
    Check(
        "Undecided verdicts",
        "The verifier or its host broke on them; they leave n and are not counted as wrong.",
        "samples undecided",
        lambda row: row["undecided"] or 0,
        "undecided",
        "passatk verify --run {run}",
    ),
    Check(
        "Completions cut at the longest length",
        "A cut completion seldom holds an answer: more tokens may solve more problems.",
        "samples cut",
        lambda row: row["truncated"] or 0,
        "truncated",
        "passatk run create --max-tokens ...",
    ),
    Check(
        "Problems with unequal numbers of samples",
        "Every curve ends at the fewest samples of any problem.",
        "samples between fewest and most",
        lambda row: (row["n_max"] or 0) - (row["n_min"] or 0),
        "coalesce(n_max - n_min, 0)",
        "passatk run topup {run} --samples N",
    ),
    Check(
        "Unknown sampling design",
        "Whether outcomes decided how many samples were drawn is not known, so estimates may be off.",
        "samples",
        lambda row: (row["samples"] or 0) * (row["design"] == "unknown"),
        "CASE WHEN design = 'unknown' THEN samples ELSE 0 END",
        "import the samples of every problem",
    ),
    Check(
        "No cost",
        "The model has no price, or the samples no token counts, so cost cannot be drawn.",
        "samples without cost",
        lambda row: (row["samples"] or 0) * (row["spent_usd"] is None),
        "CASE WHEN spent_usd IS NULL THEN samples ELSE 0 END",
        "passatk price set --model {model} ...",
    ),
)
