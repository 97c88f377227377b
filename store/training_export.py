"""Training data straight from stored rows: which samples, which recipe, into which file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from store.connection import transaction
from store.errors import PassatkError
from store.runs import find_run
from store.stored_samples import VerifierUnclear, stored_samples, verifier_of
from store.training_recipes import RECIPES, Limits
from store.writing_files import FileUnwritable, whole_file, write_rows

ENDINGS = (".jsonl", ".parquet")


class NoRows(PassatkError):
    """A recipe found nothing to train on."""


def export_training(
    recipe: str,
    run_names: Sequence[str],
    output: Path,
    limits: Limits,
    *,
    conversational: bool = False,
    verifier: str | None = None,
    where: str | None = None,
) -> int:
    """Write the rows of a recipe over the samples of some runs; how many. Runs of one benchmark are read together.

    `where` is a condition in SQL over the columns of `store.stored_samples.StoredSample`. Raises NoRows.
    """
    if output.suffix not in ENDINGS:
        raise FileUnwritable(f"{output}: must end in {' or '.join(ENDINGS)}, which says how it is written.")
    with transaction() as connection:
        found = [find_run(connection, name) for name in dict.fromkeys(run_names)]
        verifiers = {run.run_id: verifier_of(connection, run, verifier) for run in found}
    for run in found:
        if verifiers[run.run_id] is None:
            raise VerifierUnclear(f'Run "{run.name}" has no reference verifier: name one with --verifier.')
    with whole_file(output) as draft:
        rows = RECIPES[recipe](stored_samples(found, verifiers, where), limits, conversational)
        count = write_rows(draft, rows, output.suffix)
        if not count:
            raise NoRows(f"Recipe {recipe} found no row: no sample of these runs fits; nothing was written.")
    return count
