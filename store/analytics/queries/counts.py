"""Counts per problem that curves are made of, grouped by run, and what a reader must know about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from store.analytics.lattice import k_lattice
from store.analytics.naming import Judged
from store.analytics.statistics.arguments import NoUnbiasedEstimator

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ProblemCounts:
    """One judged run: arrays [P] of problem keys, n decided samples, c correct ones, undecided ones."""

    judged: Judged
    problem_ids: IntArray
    n: IntArray
    c: IntArray
    undecided: IntArray

    @property
    def n_min(self) -> int:
        return int(self.n.min(initial=np.iinfo(np.int64).max)) if self.n.size else 0

    @property
    def n_max(self) -> int:
        return int(self.n.max(initial=0))


def problem_counts(snapshot: Snapshot, judged: Sequence[Judged]) -> list[ProblemCounts]:
    """The tallies of each judged run, in the order given."""
    pairs = ", ".join(f"({one.run.run_id}, {one.verifier.verifier_id})" for one in judged)
    table = snapshot.table(
        "SELECT run_id, problem_id, n, c, undecided FROM problem_counts "  # noqa: S608 - whole numbers
        f"WHERE (run_id, verifier_id) IN ({pairs}) ORDER BY run_id, problem_id"
    )
    columns = {name: table.column(name).to_numpy().astype(np.int64) for name in table.column_names}
    found = []
    for one in judged:
        start, stop = np.searchsorted(columns["run_id"], [one.run.run_id, one.run.run_id + 1])
        parts = (columns[name][start:stop] for name in ("problem_id", "n", "c", "undecided"))
        found.append(ProblemCounts(one, *parts))
    return found


def budgets(asked: Sequence[int] | None, ends: Iterable[int]) -> list[int]:
    """The budgets asked for, or the shared lattice with the end of every curve on it."""
    if asked is not None:
        return list(asked)
    every = sorted(set(ends) - {0})
    return sorted({*k_lattice(every[-1]), *every}) if every else []


def notes_on(counts: Sequence[ProblemCounts], ks: Sequence[int], policy: str = "strict") -> list[str]:
    """What a reader must know: samples left out, where curves end, designs that are not known."""
    notes = []
    for one in counts:
        run = one.judged.run.name
        left_out = int(one.undecided.sum())
        if left_out:
            notes.append(
                f"{run}: {left_out:,} undecided samples are left out of n; the interval covers either outcome."
            )
        if ks and ks[-1] > one.n_min and policy == "strict":
            notes.append(_end(run, one))
        if one.judged.run.design != "fixed_n":
            notes.append(
                f"{run}: its sampling design is {one.judged.run.design}; the numbers assume that how many samples a "
                "problem has did not depend on their outcomes."
            )
    return notes


def _end(run: str, one: ProblemCounts) -> str:
    if one.n_min == one.n_max:
        return f"{run} ends at n = {one.n_min:,}: beyond it there is no estimate."
    short = int((one.n == one.n_min).sum())
    return (
        f"{run} ends at n = {one.n_min:,}, the fewest judged samples of a problem ({short} of {one.n.size} problems "
        f"have so few, others up to {one.n_max:,}): policy complete_case or bounds goes further."
    )


def refuse_designs(judged: Sequence[Judged]) -> None:
    """Raise for a run whose stopping rule looks at outcomes: the estimator for a fixed n would be wrong for it."""
    for one in judged:
        if one.run.design not in ("fixed_n", "unknown"):
            raise NoUnbiasedEstimator(
                f'Run "{one.run.name}" was sampled with the design {one.run.design}: coverage of a fixed n does not '
                "hold for it."
            )
