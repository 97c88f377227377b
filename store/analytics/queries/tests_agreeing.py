"""Selection by agreement on generated tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

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
from store.analytics.queries.sources import source_for
from store.analytics.result import Result, table_of
from store.analytics.statistics.majority import AnswerClasses, plurality_at_k

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = (
    {"run": "s", "verifier": "s", "method": "s", "tests_from": "s", "k": "i"} | SELECTED | {"consensus_sets": "f"}
)
#: Kept beside the curve of a problem, where no budget can be: its number of consensus sets.
_SETS = -1


def generated_test_agreement(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """A candidate of the best consensus set among k, for every run."""
    found = asked(snapshot, parameters)
    weight, rows, texts = parameters["weight"], [], []
    for one in found.counts:
        tester = source_for(snapshot, one.judged, parameters["tests_from"], "test_outcomes")
        values = {
            "run_ids": [one.judged.run.run_id],
            "verifier_ids": [one.judged.verifier.verifier_id],
            "tests_from_ids": [tester.verifier_id],
            "quarantined": parameters["quarantined"],
        }
        texts.append(entry.filled(values))
        if not found.ks:
            continue
        sets = _Sets(snapshot, one, texts[-1], 2 if weight == "root" else 1)
        name = f"agreement-{one.judged.verifier.verifier_id}-{tester.verifier_id}-{weight}"
        grid = kept_grid(snapshot, one, [*found.ks, _SETS], name, one_by_one(sets.curve))
        labels = (one.judged.run.name, one.judged.verifier.label, "generated_test_agreement", tester.label)
        rows += selection_rows(one, found.ks, grid[:, :-1], labels, [float(grid[:, -1].mean())])
    exact = (
        "Exact expectation over all k-subsets of the stored samples; tests undecided for any candidate are left out."
    )
    return Result(table_of(_COLUMNS, rows), selection_notes(found, exact), ";\n".join(texts))


class _Sets:
    """Consensus sets of one run by problem, read when the first curve is not kept yet."""

    def __init__(self, snapshot: Snapshot, counts: ProblemCounts, sql: str, power: int) -> None:
        self._snapshot, self._counts, self._sql, self._power = snapshot, counts, sql, power
        self._sets: dict[int, list[tuple[int, int, int]]] | None = None

    def curve(self, place: int, ks: list[int]) -> FloatArray:
        """Chances of a problem at budgets ks; its number of sets for _SETS."""
        if self._sets is None:
            self._sets = {}
            for row in self._snapshot.rows(self._sql):
                one = (row["tests_passed"], row["samples"], row["correct"])
                self._sets.setdefault(row["problem_id"], []).append(one)
        sets = self._sets.get(int(self._counts.problem_ids[place]), [])
        voting = [(tests, samples, correct) for tests, samples, correct in sets if tests]
        classes = AnswerClasses(
            counts=np.array([samples for _, samples, _ in voting], dtype=np.int64),
            shares=np.array([correct / samples for _, samples, correct in voting], dtype=np.float64),
            weights=np.array([tests**self._power for tests, _, _ in voting], dtype=np.int64),
            invalid=sum(samples for tests, samples, _ in sets if not tests),
        )
        values = [float(len(sets)) if k == _SETS else plurality_at_k(classes, k) for k in ks]
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
