"""Selection accuracy: how often a rule that does not know the truth picks a correct one of k samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.naming import Judged, Verifier, find_runs, judged_by
from store.analytics.queries.answers import reader_for
from store.analytics.queries.counts import budgets, refuse_designs
from store.analytics.queries.kept_curves import digest, kept_curves
from store.analytics.result import Result, table_of
from store.analytics.statistics.coverage import pass_at_k_grid
from store.analytics.statistics.curves import mean_curve
from store.analytics.statistics.majority import AnswerClasses, answer_classes, plurality_curves, plurality_plateau

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = {
    "run": "s",
    "verifier": "s",
    "method": "s",
    "answers_from": "s",
    "k": "i",
    "selection_accuracy": "f",
    "low": "f",
    "high": "f",
    "coverage": "f",
    "problems": "i",
    "plateau": "f",
}


@dataclass(frozen=True)
class Votes:
    """One problem's answers: samples and correct ones by answer [m], and samples without an answer."""

    samples: NDArray[np.int64]
    correct: NDArray[np.int64]
    without: int

    @property
    def n(self) -> int:
        return int(self.samples.sum()) + self.without

    @property
    def shares(self) -> NDArray[np.float64]:
        return np.asarray(self.correct / np.maximum(self.samples, 1))

    @property
    def key(self) -> str:
        return digest(self.samples, self.correct, self.without)

    @cached_property
    def classes(self) -> AnswerClasses:
        return answer_classes(self.samples, correct_share=self.shares, invalid=self.without)

    def plateau(self) -> float | None:
        return plurality_plateau(self.classes)


def selection(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Majority vote at every k for every run, beside the coverage of the same samples."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    readers = [reader_for(snapshot, one, parameters["answers_from"]) for one in judged]
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        "answers_from_ids": [reader.verifier_id for reader in readers],
        "quarantined": parameters["quarantined"],
    }
    sql = entry.filled(values)
    votes = _votes(snapshot, sql)
    ends = [_end(votes[one.run.run_id]) for one in judged]
    ks = budgets(parameters["k"], ends)
    rows: list[tuple[Any, ...]] = []
    notes: list[str] = ["Exact expectation over all k-subsets of the stored samples; ties are split evenly."]
    for one, reader, end in zip(judged, readers, ends, strict=True):
        name = f"{one.run.run_id}-{one.verifier.verifier_id}-{reader.verifier_id}.json"
        rows += _rows(one, reader, votes[one.run.run_id], ks, snapshot.mirror / "kept" / "majority" / name)
        if ks and ks[-1] > end:
            notes.append(f"{one.run.name} ends at n = {end:,}: beyond it there is no estimate.")
    return Result(table_of(_COLUMNS, rows), tuple(notes), sql)


def _end(votes: Sequence[Votes]) -> int:
    return min(vote.n for vote in votes)


def _votes(snapshot: Snapshot, sql: str) -> dict[int, list[Votes]]:
    """Votes of every problem, by run."""
    table = snapshot.table(sql)
    run, problem, samples, correct = (
        table.column(name).to_numpy().astype(np.int64) for name in ("run_id", "problem_id", "samples", "correct")
    )
    answered = np.asarray(table.column("answer").is_valid().to_numpy(), dtype=np.bool_)
    found: dict[int, list[Votes]] = {}
    starts = np.flatnonzero(np.r_[True, (run[1:] != run[:-1]) | (problem[1:] != problem[:-1])])
    for start, stop in zip(starts, [*starts[1:], run.size], strict=True):
        part = slice(start, stop)
        valid = answered[part]
        votes = Votes(samples[part][valid], correct[part][valid], int(samples[part][~valid].sum()))
        found.setdefault(int(run[start]), []).append(votes)
    return found


def _rows(
    one: Judged, reader: Verifier, votes: Sequence[Votes], ks: Sequence[int], kept: Path
) -> list[tuple[Any, ...]]:
    if not ks:
        return []

    def compute(places: list[int], lacking: list[int]) -> NDArray[np.float64]:
        return plurality_curves([votes[place].classes for place in places], lacking)

    grid = kept_curves(kept, [vote.key for vote in votes], ks, compute)
    n, c = np.array([vote.n for vote in votes]), np.array([int(vote.correct.sum()) for vote in votes])
    complete = np.array(ks) <= n.min()
    accuracy, _, low, high, _ = (np.where(complete, part, np.nan) for part in mean_curve(grid))
    ceiling = np.where(complete, mean_curve(pass_at_k_grid(n, c, np.array(ks)))[0], np.nan)
    plateau = float(np.mean([vote.plateau() for vote in votes]))
    names = (one.run.name, one.verifier.label, "majority_vote", reader.label)
    return [
        (*names, k, float(value), float(a), float(b), float(top), len(votes), plateau)
        for k, value, a, b, top in zip(ks, accuracy, low, high, ceiling, strict=True)
    ]
