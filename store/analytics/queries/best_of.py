"""Best of k by the scores of a verifier, exact for every k."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.queries.choosing import SELECTED, FloatArray, asked, kept_grid, selection_notes, selection_rows
from store.analytics.queries.counts import ProblemCounts
from store.analytics.queries.sources import Use, source_for
from store.analytics.result import Result, table_of
from store.analytics.statistics.best_of import best_of_ranked
from store.analytics.statistics.ranked_run import ranked_run

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
        judge = one.judged.verifier.verifier_id
        own = scorer.verifier_id == judge
        once = steps == "verdict" and judged_once(snapshot, one.judged.run.run_id, {judge, scorer.verifier_id})
        apart = once and not own
        values = {
            "run_ids": [one.judged.run.run_id],
            "verifier_ids": [judge],
            "scores_from_ids": [scorer.verifier_id],
            "steps": steps,
            "once": once and own,
            "apart": apart,
            "grouped": not once,
            "quarantined": parameters["quarantined"],
        }
        texts.append(entry.filled(values))
        scores = _Scores(snapshot, one, texts[-1], scorer.verifier_id if apart else None)
        name = f"best_of-{judge}-{scorer.verifier_id}-{steps}"
        grid = kept_grid(snapshot, one, [*found.ks, _MISSING, _TIED], name, scores.curves) if found.ks else None
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


def judged_once(snapshot: Snapshot, run_id: int, verifier_ids: Collection[int]) -> bool:
    """Whether each of these verifiers judged no sample of the run twice."""
    listed = ", ".join(str(int(one)) for one in verifier_ids)
    rows = snapshot.rows(
        "SELECT max(attempts) AS attempts FROM verifier_uses "  # noqa: S608 - whole numbers
        f"WHERE run_id = {int(run_id)} AND verifier_id IN ({listed})"
    )
    return bool(rows[0]["attempts"] == 1)


class _Scores:
    """Scores of one run's samples, read when the first curve is not kept yet.

    `apart`: the verifier whose scores are those of `sql`, where it and the judge each judged every sample once.
    """

    def __init__(self, snapshot: Snapshot, counts: ProblemCounts, sql: str, apart: int | None) -> None:
        self._snapshot, self._counts, self._sql, self._apart = snapshot, counts, sql, apart

    def curves(self, places: list[int], ks: list[int]) -> FloatArray:
        """Values [P, K] of problems: chances for budgets, and counts for _MISSING and _TIED."""
        ranked = ranked_run(*(self._read() if self._apart is None else self._joined(self._apart)))
        wanted = self._counts.problem_ids[places]
        budgets = np.array([k for k in ks if k > 0], dtype=np.int64)
        distinct, values = ranked.problems, np.zeros((len(places), len(ks)))
        found, at = np.isin(wanted, distinct), np.searchsorted(distinct, wanted)
        values[:, np.array(ks) > 0] = np.where(budgets > 0, np.nan, 0.0)
        values[np.ix_(found, np.array(ks) > 0)] = best_of_ranked(ranked, budgets)[at[found]]
        counted = {_MISSING: ranked.missing, _TIED: ranked.tied}
        for column, k in enumerate(ks):
            if k in counted:
                values[found, column] = counted[k][at[found]]
        return values

    def _read(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Problem, score and correctness [N] of the samples of the whole text."""
        problem, score, correct = self._columns(self._sql)
        return problem, score, correct

    def _joined(self, scorer: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """The same rows where another verifier scores. Segments are sorted by sample: as a rule both verifiers' rows
        come in one order, and to see that costs a tenth of the text's join. Problems set aside are nobody's `places`.
        """
        judge = self._counts.judged.verifier.verifier_id
        sample, correct = self._columns(self._verdicts("outcome = 'correct'", judge, " AND outcome <> 'undecided'"))
        scored, score = self._columns(self._verdicts("score", scorer))
        return sample >> 32, values_of(sample, scored, score), correct

    def _verdicts(self, column: str, verifier: int, only: str = "") -> str:
        return (
            f"SELECT (problem_id::BIGINT << 32) | sample_index AS sample, {column} AS given FROM verdicts "  # noqa: S608
            f"WHERE run_id = {self._counts.judged.run.run_id} AND verifier_id = {verifier}{only}"
        )

    def _columns(self, sql: str) -> list[NDArray[Any]]:
        return [column.to_numpy() for column in self._snapshot.table(sql).columns]


def values_of(keys: NDArray[np.int64], known: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
    """The value [N] of each key [N] among known ones [M] (each there once) with their values [M]; NaN for others."""
    if np.array_equal(keys, known):
        return values
    if not known.size:
        return np.full(keys.shape, np.nan)
    if (known[1:] < known[:-1]).any():
        order = np.argsort(known)
        known, values = known[order], values[order]
    at = np.minimum(np.searchsorted(known, keys), known.size - 1)
    return np.where(known[at] == keys, values[at], np.nan)
