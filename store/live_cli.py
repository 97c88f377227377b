"""`passatk live`: what is going on just now, as lines of JSON for other programs."""

from __future__ import annotations

import json
import time

import click

from store import embedded
from store.cli import ready
from store.connection import transaction
from store.errors import PassatkError
from store.live import live_state
from store.settings import StoreSettings


@click.command()
@click.option("--every", type=click.FloatRange(0.5, 3600), help="Say it again every so many seconds, until stopped.")
@click.option("--if-running", is_flag=True, help="Start no server: fail when the embedded one does not run.")
def live(every: float | None, if_running: bool) -> None:
    """Print workers, queues, runs under way and the last hour's work as one line of JSON."""
    settings = StoreSettings.from_environment()
    if if_running and settings.database_url is None and not embedded.is_running(settings.home):
        raise PassatkError("The embedded store does not run. `passatk store up` starts it.")
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
