"""Pairs of runs: who solves what the other does not, and how many problems a difference takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter
from store.analytics.naming import find_runs, judged_by
from store.analytics.queries.comparison import Pair, check_benchmarks, paired, problem_names
from store.analytics.queries.counts import ProblemCounts, problem_counts, refuse_designs
from store.analytics.result import Result, table_of
from store.analytics.statistics.comparison import mcnemar_exact, sign_flip_permutation_p
from store.analytics.statistics.coverage import pass_at_k_grid
from store.analytics.statistics.sample_size import mde_paired, sample_size_paired

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

FloatArray = NDArray[np.float64]
_SOLVED = {
    "run": "s",
    "baseline": "s",
    "k": "i",
    "both": "f",
    "only_run": "f",
    "only_baseline": "f",
    "neither": "f",
    "p": "f",
    "sign_flip_p": "f",
    "problems": "i",
}
_NEEDED = {
    "run": "s",
    "baseline": "s",
    "k": "i",
    "difference": "f",
    "problems_needed": "f",
    "smallest_difference": "f",
    "between_variance": "f",
    "within_variance_run": "f",
    "within_variance_baseline": "f",
    "problems": "i",
}


def _pairs(
    snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]
) -> tuple[list[tuple[ProblemCounts, ProblemCounts, Pair]], list[str], str]:
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    check_benchmarks(snapshot, judged, entry.name)
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    names = problem_names(snapshot)
    baseline, *others = counts
    found = [(one, baseline, paired(one, baseline, names)) for one in others]
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        "quarantined": parameters["quarantined"],
    }
    notes = [pair.note for _, _, pair in found if pair.note]
    return [part for part in found if part[2].shared], notes, entry.filled(values)


def mcnemar(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Problems solved by one run of two at the largest k both have."""
    pairs, notes, sql = _pairs(snapshot, entry, parameters)
    rows = []
    for run, base, pair in pairs:
        k = int(min(run.n[pair.run].min(), base.n[pair.baseline].min()))
        if k < 1:
            continue
        ours, theirs = (
            pass_at_k_grid(one.n, one.c, np.array([k]))[places, 0]
            for one, places in ((run, pair.run), (base, pair.baseline))
        )
        cells = [ours @ theirs, ours @ (1 - theirs), (1 - ours) @ theirs, (1 - ours) @ (1 - theirs)]
        # With more samples than k a problem is solved with a chance, and McNemar's test is for outcomes.
        whole = bool(np.isin(ours, (0.0, 1.0)).all() and np.isin(theirs, (0.0, 1.0)).all())
        p = mcnemar_exact(round(cells[1]), round(cells[2])) if whole else None
        if not whole:
            notes.append(
                f"{run.judged.run.name}: some problems have more than k = {k:,} samples, so solved is a chance there "
                "and McNemar's test does not apply; see sign_flip_p."
            )
        rates = run.c[pair.run] / run.n[pair.run] - base.c[pair.baseline] / base.n[pair.baseline]
        names = (run.judged.run.name, base.judged.run.name)
        rows.append((*names, k, *map(float, cells), p, sign_flip_permutation_p(rates), pair.shared))
    return Result(table_of(_SOLVED, rows), tuple(notes), sql)


def sample_size(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Problems that a difference in pass rate takes, from the variances these runs show."""
    difference, power = parameters["difference"], parameters["power"]
    if not 0 < power < 1:
        raise BadParameter(f"Query sample_size: power = {power:g} is not a share between 0 and 1.")
    if not 0 < difference <= 1:
        raise BadParameter(f"Query sample_size: difference = {difference:g} is not a share between 0 and 1.")
    pairs, notes, sql = _pairs(snapshot, entry, parameters)
    rows: list[tuple[Any, ...]] = []
    for run, base, pair in pairs:
        n = [one.n[places] for one, places in ((run, pair.run), (base, pair.baseline))]
        rate = [
            one.c[places] / np.maximum(one.n[places], 1) for one, places in ((run, pair.run), (base, pair.baseline))
        ]
        if pair.shared < 2 or min(int(part.min()) for part in n) < 2:
            notes.append(f"{run.judged.run.name}: variances take two problems and two samples of each.")
            continue
        # Unbiased p(1-p) of one sample; what sampling adds to the spread of the differences is taken out again.
        ours, theirs = (float((p * (1 - p) * size / (size - 1)).mean()) for p, size in zip(rate, n, strict=True))
        noise = sum(float((p * (1 - p) / (size - 1)).mean()) for p, size in zip(rate, n, strict=True))
        between = max(float(np.var(rate[0] - rate[1], ddof=1)) - noise, 0.0)
        for k in parameters["k"] or [int(min(part.min() for part in n))]:
            needed = sample_size_paired(between, ours, theirs, k, k, difference, power=power)
            least = mde_paired(between, ours, theirs, k, k, pair.shared, power=power)
            names = (run.judged.run.name, base.judged.run.name)
            rows.append((*names, k, float(difference), needed, least, between, ours, theirs, pair.shared))
    return Result(table_of(_NEEDED, rows), tuple(notes), sql)
