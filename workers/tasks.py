"""The Celery tasks: a few lines each that call code which runs without Celery."""

from __future__ import annotations

from workers.app import app

#: How Celery takes a message: as it always does, with the line it logs about it saying which.
LOGGED = "workers.logs:logged_strategy"


@app.task(name="passatk.generate", Strategy=LOGGED)
def generate(*batch_ids: int) -> None:
    """Draw the samples of as many batches."""
    from workers.generation import the_generator

    the_generator().run(*batch_ids)


@app.task(name="passatk.verify", Strategy=LOGGED)
def verify(*batch_ids: int) -> None:
    """Judge the samples of as many batches, one after the other."""
    from workers.verification import the_verification

    for batch_id in batch_ids:
        the_verification().run(batch_id)
