"""A proxy verifier against the reference: confusion, precision, recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter, NothingJudged
from store.analytics.naming import Judged, find_runs, judged_by
from store.analytics.result import Result, table_of
from store.analytics.statistics.verifiers import verifier_agreement as agreement

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

_COLUMNS = {
    "run": "s",
    "verifier": "s",
    "reference": "s",
    "tp": "i",
    "fp": "i",
    "fn": "i",
    "tn": "i",
    "accepted": "i",
    "truly_correct": "i",
    "precision": "f",
    "precision_se": "f",
    "recall": "f",
    "recall_se": "f",
    "false_positive_rate": "f",
    "false_positive_problems": "i",
    "problems": "i",
}
_CELLS = ("tp", "fp", "fn", "tn")


def verifier_agreement(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Confusion of a verifier with the reference for every run; samples that either left undecided are left out."""
    runs = find_runs(snapshot, parameters["run"])
    proxies = judged_by(snapshot, runs, parameters["verifier"])
    truths = judged_by(snapshot, runs, parameters["reference"])
    for proxy, truth in zip(proxies, truths, strict=True):
        if proxy.verifier == truth.verifier:
            raise BadParameter(
                f'In run "{proxy.run.name}" {proxy.verifier.label} is itself the reference: name another --verifier or '
                "--reference."
            )
    values = {
        "run_ids": [one.run.run_id for one in proxies],
        "verifier_ids": [one.verifier.verifier_id for one in proxies],
        "reference_ids": [one.verifier.verifier_id for one in truths],
        "quarantined": parameters["quarantined"],
    }
    sql = entry.filled(values)
    table = snapshot.table(sql)
    cells = {name: table.column(name).to_numpy().astype(np.int64) for name in ("run_id", *_CELLS)}
    rows = [_row(proxy, truth, cells) for proxy, truth in zip(proxies, truths, strict=True)]
    return Result(table_of(_COLUMNS, rows), sql=sql)


def _row(proxy: Judged, truth: Judged, cells: Mapping[str, NDArray[np.int64]]) -> tuple[Any, ...]:
    mine = cells["run_id"] == proxy.run.run_id
    if not mine.any():
        raise NothingJudged(
            f'{proxy.verifier.label} and {truth.verifier.label} judged no sample of run "{proxy.run.name}" in common.'
        )
    tp, fp, fn, tn = (cells[name][mine] for name in _CELLS)
    rates = agreement(tp, fp, fn, tn)
    sums = [int(part.sum()) for part in (tp, fp, fn, tn)]
    return (
        proxy.run.name,
        proxy.verifier.label,
        truth.verifier.label,
        *sums,
        sums[0] + sums[1],
        sums[0] + sums[2],
        rates.precision.value,
        rates.precision.se,
        rates.recall.value,
        rates.recall.se,
        rates.fpr.value,
        rates.false_positive_problems,
        int(mine.sum()),
    )


def score_thresholds(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Precision and recall of a scoring verifier at thresholds; no row, and a note, where it gave no scores."""
    runs = find_runs(snapshot, [parameters["run"]])
    (scorer,) = judged_by(snapshot, runs, parameters["verifier"])
    (truth,) = judged_by(snapshot, runs, parameters["reference"])
    values = {
        "run_id": scorer.run.run_id,
        "verifier_id": scorer.verifier.verifier_id,
        "reference_id": truth.verifier.verifier_id,
    }
    sql = entry.filled(values)
    table = snapshot.table(sql)
    notes = () if table.num_rows else (f"{scorer.verifier.label} gave no scores to samples that the reference judged.",)
    return Result(table, notes, sql)
