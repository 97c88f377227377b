"""Verdicts compared: repeats of one verifier, and two versions of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from store.connection import driver
from store.errors import PassatkError
from store.runs import Run
from store.verifier_registry import VerifierRow


class VerifierNotOfRun(PassatkError):
    """No such verifier judged the run."""


@dataclass(frozen=True)
class Moved:
    """A sample whose outcome is another by the second verifier. Outcomes are by majority of the attempts."""

    problem: str
    sample_index: int
    before: str
    after: str
    reason_before: str | None
    reason_after: str | None


@dataclass(frozen=True)
class Difference:
    """Two verifiers' outcomes of the samples both judged: counts by (before, after), and the samples that moved."""

    counts: dict[tuple[str, str], int]
    moved: list[Moved]
    only_before: int
    only_after: int


@dataclass(frozen=True)
class Flips:
    """How often repeated judgements of a sample disagree; `samples` have two decided attempts or more.

    `worst`: (problem, samples, of them flipped), most flipped first.
    """

    samples: int
    flipped: int
    attempts: int
    worst: list[tuple[str, int, int]]

    @property
    def rate(self) -> float | None:
        return self.flipped / self.samples if self.samples else None


def verifier_of_run(connection: sa.Connection, run: Run, label: str) -> VerifierRow:
    """The verifier NAME@VERSION (or NAME, or #KEY) that judged a run. Raises VerifierNotOfRun naming those that did."""
    query = b"""
        SELECT DISTINCT v.verifier_id, v.name, v.version, v.options
        FROM store.verifiers AS v
        WHERE EXISTS (
            SELECT 1 FROM store.verdicts AS d WHERE d.run_id = %(run)s AND d.verifier_id = v.verifier_id
        )
        ORDER BY v.verifier_id
    """
    rows = [VerifierRow(*row) for row in driver(connection).execute(query, {"run": run.run_id})]
    name, _, version = label.partition("@")
    found = [
        row for row in rows if label == f"#{row.verifier_id}" or (row.name == name and version in ("", row.version))
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{row.name}@{row.version} (#{row.verifier_id})" for row in rows) or "none yet"
    what = "is judged by no such verifier" if not found else "is judged by several such verifiers, name one by its #"
    raise VerifierNotOfRun(f"Run {run.name}, {label}: it {what}. It has verdicts by: {known}.")


_MAJORITY = """
    SELECT problem_id, sample_index,
           CASE
               WHEN count(*) FILTER (WHERE outcome = 'correct') > count(*) FILTER (WHERE outcome = 'incorrect')
                   THEN 'correct'
               WHEN count(*) FILTER (WHERE outcome = 'correct') < count(*) FILTER (WHERE outcome = 'incorrect')
                   THEN 'incorrect'
               ELSE 'undecided'
           END AS outcome,
           min(reason) FILTER (WHERE outcome <> 'correct') AS reason
    FROM store.verdicts
    WHERE run_id = %(run)s AND verifier_id = %({})s
    GROUP BY problem_id, sample_index
"""


def compare_verdicts(connection: sa.Connection, run: Run, before: VerifierRow, after: VerifierRow) -> Difference:
    """How the outcomes of a run's samples moved from one verifier to the other."""
    query = f"""
        WITH a AS ({_MAJORITY.format("before")}), b AS ({_MAJORITY.format("after")})
        SELECT p.key, coalesce(a.sample_index, b.sample_index), a.outcome, b.outcome, a.reason, b.reason
        FROM a FULL JOIN b USING (problem_id, sample_index)
        JOIN store.problems AS p USING (problem_id)
        ORDER BY p.position, 2
    """  # noqa: S608 - the text is this module's own
    values = {"run": run.run_id, "before": before.verifier_id, "after": after.verifier_id}
    counts: dict[tuple[str, str], int] = {}
    moved: list[Moved] = []
    only_before = only_after = 0
    for key, index, one, other, reason, other_reason in driver(connection).execute(query.encode(), values):
        if one is None or other is None:
            only_before += other is None
            only_after += one is None
            continue
        counts[one, other] = counts.get((one, other), 0) + 1
        if one != other:
            moved.append(Moved(key, index, one, other, reason, other_reason))
    return Difference(counts, moved, only_before, only_after)


def flips(connection: sa.Connection, run: Run, verifier: VerifierRow, worst: int = 20) -> Flips:
    """How often a verifier's repeated judgements of a run's samples disagree."""
    query = b"""
        WITH judged AS (
            SELECT problem_id, sample_index, count(*) AS attempts, min(outcome) <> max(outcome) AS flipped
            FROM store.verdicts
            WHERE run_id = %(run)s AND verifier_id = %(verifier)s AND outcome <> 'undecided'
            GROUP BY problem_id, sample_index
            HAVING count(*) > 1
        )
        SELECT p.key, count(*)::integer, (count(*) FILTER (WHERE flipped))::integer, sum(attempts)::integer
        FROM judged JOIN store.problems AS p USING (problem_id)
        GROUP BY p.key, p.position
        ORDER BY 3 DESC, p.position
    """
    values = {"run": run.run_id, "verifier": verifier.verifier_id}
    rows: Sequence[Any] = driver(connection).execute(query, values).fetchall()
    return Flips(
        samples=sum(row[1] for row in rows),
        flipped=sum(row[2] for row in rows),
        attempts=sum(row[3] for row in rows),
        worst=[(row[0], row[1], row[2]) for row in rows if row[2]][:worst],
    )
