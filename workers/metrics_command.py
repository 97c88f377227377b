"""`passatk metrics serve`: the queues' depth and the workers' number for Prometheus."""

from __future__ import annotations

import threading

import click

from store.cli import ready


@click.group()
def metrics() -> None:
    """Prometheus metrics of queues, runs and workers."""


@metrics.command()
@click.option("--port", type=click.IntRange(1, 65535), default=9101, show_default=True)
@click.option("--address", default="127.0.0.1", show_default=True, help="0.0.0.0 answers other machines.")
def serve(port: int, address: str) -> None:
    """Answer at http://ADDRESS:PORT/metrics until stopped. One for each store is enough."""
    ready()
    from workers.metrics import StoreMetrics
    from workers.metrics import serve as answer

    answer(StoreMetrics(), port, address)
    click.echo(f"http://{address}:{port}/metrics; stop with Ctrl-C.", err=True)
    threading.Event().wait()
