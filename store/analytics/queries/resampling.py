"""What comes of drawing until a verifier accepts, as it was and as it would be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter, NothingJudged
from store.analytics.naming import Judged, find_runs, judged_by
from store.analytics.queries.counts import budgets, notes_on, problem_counts, refuse_designs
from store.analytics.result import Result, table_of
from store.analytics.statistics.coverage import pass_at_k_grid
from store.analytics.statistics.curves import mean_curve

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

FloatArray = NDArray[np.float64]
_RESAMPLED = {
    "run": "s",
    "verifier": "s",
    "proxy": "s",
    "k": "i",
    "correct": "f",
    "low": "f",
    "high": "f",
    "false_accept": "f",
    "nothing": "f",
    "apparent_coverage": "f",
    "coverage": "f",
    "problems": "i",
}
_SUPPOSED = {
    "run": "s",
    "verifier": "s",
    "k": "i",
    "true_positive_rate": "f",
    "false_positive_rate": "f",
    "apparent_coverage": "f",
    "coverage": "f",
    "accepted_correct": "f",
    "accepted_wrong": "f",
    "problems": "i",
}
_CELLS = ("tp", "fp", "fn", "tn")


def resample_until_accept(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Draw until the proxy accepts, at most k: what is accepted, and whether it is right."""
    runs = find_runs(snapshot, parameters["run"])
    proxies, truths = judged_by(snapshot, runs, parameters["proxy"]), judged_by(snapshot, runs, parameters["verifier"])
    refuse_designs(truths)
    for proxy, truth in zip(proxies, truths, strict=True):
        if proxy.verifier == truth.verifier:
            raise BadParameter(
                f'Query {entry.name}: {proxy.verifier.label} is itself the reference of run "{proxy.run.name}".'
            )
    sql = entry.filled(
        {
            "run_ids": [one.run.run_id for one in truths],
            "proxy_ids": [one.verifier.verifier_id for one in proxies],
            "verifier_ids": [one.verifier.verifier_id for one in truths],
            "quarantined": parameters["quarantined"],
        }
    )
    table = snapshot.table(sql)
    columns = {name: table.column(name).to_numpy().astype(np.int64) for name in ("run_id", *_CELLS)}
    cells = [_cells(proxy, truth, columns) for proxy, truth in zip(proxies, truths, strict=True)]
    ks = budgets(parameters["k"], [int(one.sum(axis=0).min()) for one in cells])
    rows: list[tuple[Any, ...]] = []
    for proxy, truth, one in zip(proxies, truths, cells, strict=True):
        names = (truth.run.name, truth.verifier.label, proxy.verifier.label)
        rows += _resampled(names, one, np.array(ks, dtype=np.int64)) if ks else []
    return Result(table_of(_RESAMPLED, rows), ("Exact over all orders of the stored samples.",), sql)


def _cells(proxy: Judged, truth: Judged, columns: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    mine = columns["run_id"] == truth.run.run_id
    if not mine.any():
        raise NothingJudged(
            f'{proxy.verifier.label} and {truth.verifier.label} judged no sample of run "{truth.run.name}" in common.'
        )
    return np.stack([columns[name][mine] for name in _CELLS])


def _resampled(names: tuple[str, str, str], cells: NDArray[np.int64], ks: NDArray[np.int64]) -> list[tuple[Any, ...]]:
    """Per problem P(correct by k) = (a_c/a)(1 - f_k(n, a)), a of n samples being accepted and a_c of those correct."""
    tp, fp, fn, _ = cells
    n, accepted = cells.sum(axis=0), tp + fp
    some = pass_at_k_grid(n, accepted, ks)
    share = (tp / np.maximum(accepted, 1))[:, None]
    grid = share * some
    complete = ks <= n.min()
    parts = [
        *(mean_curve(grid)[i] for i in (0, 2, 3)),
        ((1 - share) * some).mean(axis=0),
        (1 - some).mean(axis=0),
        some.mean(axis=0),
        pass_at_k_grid(n, tp + fn, ks).mean(axis=0),
    ]
    shown = [np.where(complete, part, np.nan) for part in parts]
    return [(*names, k, *(float(part[i]) for part in shown), int(n.size)) for i, k in enumerate(ks.tolist())]


def false_positives(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Coverage as a verifier with given error rates would report it; statistics.imperfect_verifier for all problems."""
    tpr, fpr = parameters["true_positive_rate"], parameters["false_positive_rate"]
    for name, rate in (("true_positive_rate", tpr), ("false_positive_rate", fpr)):
        if not 0 <= rate <= 1:
            raise BadParameter(f"Query {entry.name}: {name} = {rate:g} is not a share between 0 and 1.")
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    ks = budgets(parameters["k"], [one.n_min for one in counts])
    rows: list[tuple[Any, ...]] = []
    for one in counts:
        p = (one.c / np.maximum(one.n, 1))[:, None]
        accept = p * tpr + (1 - p) * fpr
        with np.errstate(divide="ignore", invalid="ignore"):
            right = np.where(accept > 0, p * tpr / accept, 0.0)
        budget = np.array(ks, dtype=np.float64)[None, :]
        some = _within(accept, budget)
        parts = [part.mean(axis=0) for part in (some, _within(p, budget), some * right, some * (1 - right))]
        names = (one.judged.run.name, one.judged.verifier.label)
        rows += [
            (*names, k, float(tpr), float(fpr), *(float(part[i]) for part in parts), one.n.size)
            for i, k in enumerate(ks)
        ]
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
        "quarantined": parameters["quarantined"],
    }
    note = "A what-if: each problem's rate is taken to be c/n, and errors to be as likely on every problem."
    return Result(table_of(_SUPPOSED, rows), (note, *notes_on(counts, [])), entry.filled(values))


def _within(p: FloatArray, k: FloatArray) -> FloatArray:
    """1 - (1-p)^k without cancellation."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(k * np.log1p(-p)))
