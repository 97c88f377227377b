"""Votes in which a sample's weight is its score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter
from store.analytics.queries.answers import reader_for
from store.analytics.queries.best_of import judged_once, use_of
from store.analytics.queries.choosing import (
    SELECTED,
    FloatArray,
    asked,
    kept_grid,
    one_by_one,
    selection_notes,
    selection_rows,
)
from store.analytics.queries.counts import ProblemCounts
from store.analytics.queries.sources import source_for
from store.analytics.result import Result, table_of
from store.analytics.statistics.weighted_vote import ballots_of, curve_of_ballots, vote_weights

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = (
    {"run": "s", "verifier": "s", "method": "s", "answers_from": "s", "scores_from": "s", "transform": "s", "k": "i"}
    | SELECTED
    | {"monte_carlo_se": "f"}
)


def weighted_vote(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """The answer with the most weight among k, for every run."""
    found = asked(snapshot, parameters)
    steps, transform, permutations = (parameters[name] for name in ("steps", "transform", "permutations"))
    if permutations < 2:
        raise BadParameter(f"Query weighted_vote: permutations = {permutations} gives no error; ask for 2 or more.")
    rows, texts = [], []
    for one in found.counts:
        reader = reader_for(snapshot, one.judged, parameters["answers_from"])
        scorer = source_for(snapshot, one.judged, parameters["scores_from"], use_of(steps))
        values = {
            "run_ids": [one.judged.run.run_id],
            "verifier_ids": [one.judged.verifier.verifier_id],
            "answers_from_ids": [reader.verifier_id],
            "scores_from_ids": [scorer.verifier_id],
            "steps": steps,
            "once": judged_once(
                snapshot,
                one.judged.run.run_id,
                {one.judged.verifier.verifier_id, reader.verifier_id, scorer.verifier_id},
            ),
            "quarantined": parameters["quarantined"],
        }
        texts.append(entry.filled(values))
        if not found.ks:
            continue
        votes = _Votes(snapshot, one, texts[-1], transform, permutations)
        keys = (one.judged.verifier.verifier_id, reader.verifier_id, scorer.verifier_id, steps, transform, permutations)
        name = "weighted-zeros-" + "-".join(map(str, keys))
        # The error of a budget is kept under the budget's negative.
        grid = kept_grid(snapshot, one, [*found.ks, *(-k for k in found.ks)], name, one_by_one(votes.curve))
        value, error = np.split(grid, 2, axis=1)
        labels = (
            one.judged.run.name,
            one.judged.verifier.label,
            "weighted_vote",
            reader.label,
            scorer.label,
            transform,
        )
        simulated = np.sqrt((error**2).sum(axis=0)) / max(one.n.size, 1)
        rows += selection_rows(one, found.ks, value, labels, [simulated])
    note = f"Where not exact, {permutations} random orders of each problem's samples; their error is monte_carlo_se."
    return Result(table_of(_COLUMNS, rows), selection_notes(found, note), ";\n".join(texts))


class _Votes:
    """Ballots of one run by problem, read when the first curve is not kept yet."""

    def __init__(self, snapshot: Snapshot, counts: ProblemCounts, sql: str, transform: Any, permutations: int) -> None:
        self._snapshot, self._counts, self._sql = snapshot, counts, sql
        self._transform, self._permutations = transform, permutations
        self._columns: dict[str, NDArray[Any]] | None = None

    def _read(self) -> dict[str, NDArray[Any]]:
        """Columns of the samples by problem: its key, answer (a number, -1 for none), score and whether correct."""
        if self._columns is None:
            table = self._snapshot.table(self._sql)
            answers = table.column("answer").combine_chunks().dictionary_encode().indices
            self._columns = {
                "problem": table.column("problem_id").to_numpy(),
                "answer": answers.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64),
                "score": table.column("score").to_numpy().astype(np.float64),
                "correct": table.column("correct").to_numpy().astype(np.float64),
            }
        return self._columns

    def curve(self, place: int, ks: list[int]) -> FloatArray:
        """Values of a problem at the positive ks, their simulation's errors at the negative ones."""
        columns, problem = self._read(), int(self._counts.problem_ids[place])
        part = slice(*np.searchsorted(columns["problem"], [problem, problem + 1]).tolist())
        weights = vote_weights(columns["score"][part], self._transform)
        ballots = ballots_of(columns["answer"][part], weights, columns["correct"][part])
        wanted = sorted({abs(k) for k in ks})
        # A seed of its own for each problem: their errors are independent, whatever order samples are stored in.
        found = dict(zip(wanted, curve_of_ballots(ballots, wanted, self._permutations, problem), strict=True))
        values = []
        for k in ks:
            vote = found[abs(k)]
            values.append(np.nan if vote is None else vote.value if k > 0 else vote.monte_carlo_se)
        return np.array(values)
