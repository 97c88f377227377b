"""The Celery tasks: a few lines each that call code which runs without Celery."""

from __future__ import annotations

from workers.app import app


@app.task(name="passatk.generate")
def generate(batch_id: int) -> None:
    """Draw the samples of a batch."""
    from workers.generation import the_generator

    the_generator().run(batch_id)


@app.task(name="passatk.verify")
def verify(batch_id: int) -> None:
    """Judge the samples of a batch."""
    from workers.verification import the_verification

    the_verification().run(batch_id)
