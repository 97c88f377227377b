"""Counts per problem that curves are made of, grouped by run, and what a reader must know about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from store.analytics.lattice import k_lattice
from store.analytics.naming import Judged
from store.analytics.queries.stopping import design_of, pilot_of, refuse_designs
from store.analytics.statistics.arguments import NoUnbiasedEstimator
from store.analytics.statistics.designs import AdaptiveDesign, FixedDesign, SamplingDesign, UntilSuccess

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

__all__ = ["ProblemCounts", "budgets", "notes_on", "problem_counts", "refuse_designs", "without"]

IntArray = NDArray[np.int64]
FIXED = FixedDesign()


@dataclass(frozen=True)
class ProblemCounts:
    """One judged run: arrays [P] of problem keys, n decided samples, c correct ones, undecided ones.

    `design` is that of these samples: of an adaptive run they are its pilot's (the first `pilot` of each problem),
    whose number was fixed.
    """

    judged: Judged
    problem_ids: IntArray
    n: IntArray
    c: IntArray
    undecided: IntArray
    design: SamplingDesign = FIXED
    pilot: int = 0

    @property
    def n_min(self) -> int:
        return int(self.n.min(initial=np.iinfo(np.int64).max)) if self.n.size else 0

    @property
    def n_max(self) -> int:
        return int(self.n.max(initial=0))

    @property
    def fixed(self) -> bool:
        return isinstance(self.design, FixedDesign)

    @property
    def end(self) -> int:
        """The largest k worth asking about: a solved problem that stopped early answers up to the cap."""
        if isinstance(self.design, UntilSuccess):
            return self.design.cap or self.n_max
        return self.n_min


def problem_counts(snapshot: Snapshot, judged: Sequence[Judged], quarantined: str = "include") -> list[ProblemCounts]:
    """The tallies of each judged run, in the order given; `quarantined` problems may be left out (`exclude`)."""
    pairs = ", ".join(f"({one.run.run_id}, {one.verifier.verifier_id})" for one in judged)
    table = snapshot.table(
        "SELECT run_id, problem_id, n, c, undecided FROM problem_counts "  # noqa: S608 - whole numbers
        f"WHERE (run_id, verifier_id) IN ({pairs}){without(quarantined)} ORDER BY run_id, problem_id"
    )
    columns = {name: table.column(name).to_numpy().astype(np.int64) for name in table.column_names}
    found = []
    for one in judged:
        start, stop = np.searchsorted(columns["run_id"], [one.run.run_id, one.run.run_id + 1])
        keys, n, c, undecided = (columns[name][start:stop] for name in ("problem_id", "n", "c", "undecided"))
        design = design_of(one.run)
        if isinstance(design, AdaptiveDesign):
            found.append(_pilot_counts(snapshot, one, quarantined))
        else:
            found.append(ProblemCounts(one, keys, n, c, undecided, design=design))
    return found


def without(quarantined: str) -> str:
    """The condition that leaves quarantined problems out, to follow another one."""
    if quarantined == "include":
        return ""
    return " AND problem_id NOT IN (SELECT q.problem_id FROM problems AS q WHERE q.quarantined)"


def _pilot_counts(snapshot: Snapshot, one: Judged, quarantined: str) -> ProblemCounts:
    """Of an adaptive run only the pilot's samples, drawn whatever the verdicts said, give unbiased counts."""
    pilot = pilot_of(one.run)
    if not pilot:
        raise NoUnbiasedEstimator(
            f'Run "{one.run.name}" was sampled adaptively and without a pilot: no unbiased estimator exists for it. '
            "Query forecast fits laws whose likelihood does not depend on the stopping rule."
        )
    table = snapshot.table(
        f"""
        WITH judged AS (
            SELECT problem_id, sum(CASE outcome WHEN 'correct' THEN 1 WHEN 'incorrect' THEN -1 ELSE 0 END) AS balance
            FROM verdicts
            WHERE run_id = {one.run.run_id} AND verifier_id = {one.verifier.verifier_id} AND sample_index < {pilot}
                {without(quarantined)}
            GROUP BY problem_id, sample_index
        )
        SELECT problem_id, count_if(balance <> 0) AS n, count_if(balance > 0) AS c, count_if(balance = 0) AS undecided
        FROM judged GROUP BY problem_id ORDER BY problem_id
        """  # noqa: S608 - whole numbers
    )
    names = ("problem_id", "n", "c", "undecided")
    keys, n, c, undecided = (table.column(name).to_numpy().astype(np.int64) for name in names)
    return ProblemCounts(one, keys, n, c, undecided, pilot=pilot)


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
        if one.fixed and ks and ks[-1] > one.n_min and policy == "strict":
            notes.append(_end(run, one))
        note = _design_note(one)
        if note:
            notes.append(f"{run}: {note}")
    return notes


def _design_note(one: ProblemCounts) -> str | None:
    if one.pilot:
        return (
            f"it was sampled adaptively; only the first {one.pilot:,} samples of each problem are counted here, which "
            "were drawn whatever the verdicts said."
        )
    if isinstance(one.design, UntilSuccess):
        return f"the estimator is that of its stopping rule ({one.judged.run.design}), not that of a fixed n."
    if one.judged.run.design == "unknown":
        return (
            "its sampling design is unknown; the numbers assume that how many samples a problem has did not depend on "
            "their outcomes."
        )
    return None


def _end(run: str, one: ProblemCounts) -> str:
    if one.n_min == one.n_max:
        return f"{run} ends at n = {one.n_min:,}: beyond it there is no estimate."
    short = int((one.n == one.n_min).sum())
    return (
        f"{run} ends at n = {one.n_min:,}, the fewest judged samples of a problem ({short} of {one.n.size} problems "
        f"have so few, others up to {one.n_max:,}): policy complete_case or bounds goes further."
    )
