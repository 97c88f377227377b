"""Which verifier's scores or generated-test outcomes choose, where a query does not name one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from store.analytics.errors import NothingJudged, UnknownName
from store.analytics.naming import Judged, Verifier, named, verifiers

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

Use = Literal["scores", "step_scores", "test_outcomes"]
_WORDS = {
    "scores": ("gave scores", "--scores-from"),
    "step_scores": ("gave a score for each step", "--scores-from"),
    "test_outcomes": ("ran generated tests", "--tests-from"),
}


def users_of(snapshot: Snapshot, run_id: int, use: Use) -> list[Verifier]:
    """The verifiers that gave a run such rows."""
    rows = snapshot.rows(
        f"SELECT verifier_id FROM verifier_uses WHERE run_id = {int(run_id)} AND {use} > 0 ORDER BY 1"  # noqa: S608
    )
    known = verifiers(snapshot)
    return [known[row["verifier_id"]] for row in rows]


def source_for(snapshot: Snapshot, judged: Judged, name: str | None, use: Use) -> Verifier:
    """The named verifier, or the only one that gave such rows. Raises NothingJudged or UnknownName."""
    found, run = users_of(snapshot, judged.run.run_id, use), judged.run.name
    words, option = _WORDS[use]
    if not found:
        raise NothingJudged(f'No verifier {words} for run "{run}".')
    labels = ", ".join(one.label for one in found)
    if name is None:
        if len(found) == 1:
            return found[0]
        raise UnknownName(f'Several verifiers {words} for run "{run}": say {option}; it may be {labels}.')
    chosen = named(found, name)
    if len(chosen) != 1:
        raise UnknownName(f'"{name}" is not one verifier that {words} for run "{run}"; {option} may be {labels}.')
    return chosen[0]


def rows_digest(snapshot: Snapshot, run_id: int) -> str:
    """A mark of the rows that a run's selections are made of: the names of their segments, which never change."""
    rows = snapshot.rows(
        "SELECT md5(string_agg(path, ' ' ORDER BY path)) AS mark FROM mirror.segments "  # noqa: S608
        f"WHERE run_id = {int(run_id)} AND fact IN ('verdicts', 'step_scores', 'test_outcomes')"
    )
    return str(rows[0]["mark"])[:16]
