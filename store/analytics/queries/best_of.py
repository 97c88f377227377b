"""Best of k by the scores of a verifier, exact for every k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
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
from store.analytics.queries.sources import Use, source_for
from store.analytics.result import Result, table_of
from store.analytics.statistics.best_of import rank_weights

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = (
    {"run": "s", "verifier": "s", "method": "s", "scores_from": "s", "k": "i"}
    | SELECTED
    | {"missing_share": "f", "tie_share": "f"}
)
#: Kept beside the curve of a problem, where no budget can be: its samples without a score, and those in ties.
_MISSING, _TIED = -1, -2


def best_of_k(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """The sample with the highest score among k, for every run; ties are split evenly."""
    found = asked(snapshot, parameters)
    steps, rows, texts = parameters["steps"], [], []
    for one in found.counts:
        scorer = source_for(snapshot, one.judged, parameters["scores_from"], use_of(steps))
        values = {
            "run_ids": [one.judged.run.run_id],
            "verifier_ids": [one.judged.verifier.verifier_id],
            "scores_from_ids": [scorer.verifier_id],
            "steps": steps,
            "quarantined": parameters["quarantined"],
        }
        texts.append(entry.filled(values))
        ranks = _Ranks(snapshot, one, texts[-1])
        name = f"best_of-{one.judged.verifier.verifier_id}-{scorer.verifier_id}-{steps}"
        grid = (
            kept_grid(snapshot, one, [*found.ks, _MISSING, _TIED], name, one_by_one(ranks.curve)) if found.ks else None
        )
        if grid is not None:
            total = max(int(one.n.sum()), 1)
            names = (one.judged.run.name, one.judged.verifier.label, "best_of_k", scorer.label)
            more = [float(grid[:, -2].sum()) / total, float(grid[:, -1].sum()) / total]
            rows += selection_rows(one, found.ks, grid[:, :-2], names, more)
    exact = "Exact expectation over all k-subsets of the stored samples; ties are split evenly."
    return Result(table_of(_COLUMNS, rows), selection_notes(found, exact), ";\n".join(texts))


def use_of(steps: str) -> Use:
    """What a scorer must have given: scores of samples, or of their steps."""
    return "scores" if steps == "verdict" else "step_scores"


class _Ranks:
    """Tie groups of one run by problem, read when the first curve is not kept yet."""

    def __init__(self, snapshot: Snapshot, counts: ProblemCounts, sql: str) -> None:
        self._snapshot, self._counts, self._sql = snapshot, counts, sql
        self._groups: dict[int, tuple[NDArray[np.int64], NDArray[np.int64], int]] | None = None

    def curve(self, place: int, ks: list[int]) -> FloatArray:
        """Values [K] of a problem: chances for budgets, and counts for _MISSING and _TIED."""
        if self._groups is None:
            self._groups = self._read()
        empty = np.zeros(0, dtype=np.int64)
        sizes, correct, missing = self._groups.get(int(self._counts.problem_ids[place]), (empty, empty, 0))
        by_rank = np.repeat(correct / np.maximum(sizes, 1), sizes)
        weights = _weights(int(by_rank.size), tuple(k for k in ks if k > 0))
        values = dict(zip([k for k in ks if k > 0], weights @ by_rank, strict=True))
        counted = {_MISSING: float(missing), _TIED: float(sizes[sizes > 1].sum())}
        return np.array([values[k] if k > 0 else counted[k] for k in ks])

    def _read(self) -> dict[int, tuple[NDArray[np.int64], NDArray[np.int64], int]]:
        table = self._snapshot.table(self._sql)
        problem, sizes, correct = (
            table.column(name).to_numpy().astype(np.int64) for name in ("problem_id", "samples", "correct")
        )
        absent = np.asarray(table.column("score").is_null().to_numpy(), dtype=np.bool_)
        starts = np.flatnonzero(np.diff(problem, prepend=-1))
        found = {}
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), problem.size], strict=True):
            part = slice(start, end)
            found[int(problem[start])] = (sizes[part], correct[part], int(sizes[part][absent[part]].sum()))
        return found


@lru_cache(maxsize=8)
def _weights(n: int, ks: Sequence[int]) -> FloatArray:
    """Rank weights are shared by all problems of one n."""
    return rank_weights(n, np.array(ks, dtype=np.int64))
