"""`passatk live`: what is going on just now, as lines of JSON for other programs."""

from __future__ import annotations

import json
import time

import click

from store.cli import ready
from store.connection import transaction
from store.live import live_state


@click.command()
@click.option("--every", type=click.FloatRange(0.5, 3600), help="Say it again every so many seconds, until stopped.")
def live(every: float | None) -> None:
    """Print workers, queues, runs under way and the last hour's work as one line of JSON."""
    ready()
    while True:
        with transaction() as connection:
            state = live_state(connection)
        click.echo(json.dumps(state, default=_plain))
        if every is None:
            return
        time.sleep(every)


def _plain(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else float(str(value))
