"""Exports of a run's samples for other tools. Files appear whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from store.batch_requests import requests, write_requests
from store.connection import transaction
from store.export_formats import LINES, prediction
from store.runs import Run, find_run
from store.stored_samples import VerifierUnclear, stored_samples, verifier_of
from store.work import model_of
from store.writing_files import whole_file, whole_folder, write_lines

FORMATS = (*sorted(LINES), "openai-batch", "swebench")
#: Formats whose records are verdicts, so that a verifier must be known.
_JUDGED = ("every-eval-ever", "inspect-scores")


@dataclass(frozen=True)
class Exported:
    """What was written: records, and the files they are in."""

    records: int
    files: int


def export_samples(
    run_name: str, format_name: str, output: Path, verifier: str | None = None, where: str | None = None, n: int = 16
) -> Exported:
    """Write a run's samples. `where` is a condition in SQL on them; `n` samples share a request of a batch."""
    with transaction() as connection:
        run = find_run(connection, run_name)
        verifier_id = verifier_of(connection, run, verifier)
    if format_name in _JUDGED and verifier_id is None:
        raise VerifierUnclear(f'Run "{run_name}" has no reference verifier: name one with --verifier.')
    if format_name == "openai-batch":
        return _batches(run, output, n)
    if format_name == "swebench":
        return _predictions(run, verifier_id, output, where)
    with whole_file(output) as draft:
        samples = stored_samples([run], {run.run_id: verifier_id}, where)
        return Exported(write_lines(draft, LINES[format_name](samples)), 1)


def _predictions(run: Run, verifier_id: int | None, output: Path, where: str | None) -> Exported:
    records = files = 0
    with whole_folder(output) as folder:
        samples = stored_samples([run], {run.run_id: verifier_id}, where, order="index")
        for index, group in groupby(samples, key=lambda one: one.sample_index):
            records += write_lines(folder / f"preds_s{index:05d}.jsonl", map(prediction, group))
            files += 1
    return Exported(records, files)


def _batches(run: Run, output: Path, n: int) -> Exported:
    with transaction() as connection, whole_folder(output) as folder:
        model, _ = model_of(connection, run)
        return Exported(*write_requests(folder, requests(connection, run, model, n)))
