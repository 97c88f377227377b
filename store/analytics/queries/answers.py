"""Whose answers are voted on: the verifiers that read answers from a run's samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.analytics.errors import NothingJudged, UnknownName
from store.analytics.naming import Judged, Verifier, named, verifiers

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot


def readers_of(snapshot: Snapshot, judged: Judged) -> list[Verifier]:
    """Verifiers whose answers can be voted on where `judged` decides; the judge itself first, if it is one."""
    rows = snapshot.rows(
        "SELECT DISTINCT answers_from_id FROM answer_groups "  # noqa: S608 - whole numbers
        f"WHERE run_id = {judged.run.run_id} AND verifier_id = {judged.verifier.verifier_id} ORDER BY 1"
    )
    known = verifiers(snapshot)
    found = [known[row["answers_from_id"]] for row in rows]
    return sorted(found, key=lambda reader: reader.verifier_id != judged.verifier.verifier_id)


def reader_for(snapshot: Snapshot, judged: Judged, name: str | None) -> Verifier:
    """The verifier whose answers are voted on: the named one, the judge itself, or the only one there is."""
    readers = readers_of(snapshot, judged)
    run = judged.run.name
    if not readers:
        raise NothingJudged(
            f'No verifier read answers from run "{run}", so there is nothing to vote on: '
            f"`passatk verify --run {run}` with a verifier that reads answers."
        )
    labels = ", ".join(reader.label for reader in readers)
    if name is None:
        own = readers[0].verifier_id == judged.verifier.verifier_id
        if own or len(readers) == 1:
            return readers[0]
        raise UnknownName(f'Several verifiers read answers from run "{run}": say --answers-from; it may be {labels}.')
    found = named(readers, name)
    if not found:
        raise UnknownName(f'Verifier "{name}" read no answers from run "{run}"; --answers-from may be {labels}.')
    if len(found) > 1:
        labels = ", ".join(reader.label for reader in found)
        raise UnknownName(f'"{name}" are several verifiers of run "{run}": say which of {labels}.')
    return found[0]
