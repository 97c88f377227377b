"""Commands of the processes that draw and judge: `passatk worker`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import click

from store.cli import ready
from store.connection import transaction
from store.errors import PassatkError
from store.model_registry import ensure_model, options_of
from store.worker_registry import WorkerState, list_workers
from workers.judging import default_jobs

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _operated(command: _Command) -> _Command:
    """Options of every worker: how it is watched, and how it ends."""
    for option in (
        click.option("--metrics-port", type=click.IntRange(1, 65535), help="Answer Prometheus on this port."),
        click.option("--metrics-address", default="127.0.0.1", show_default=True, help="0.0.0.0 answers others."),
        click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
        click.option(
            "--drain-seconds",
            type=click.FloatRange(min=0),
            help="Told to stop, hand back what is not finished by then; default: finish it, however long it takes.",
        ),
    ):
        command = option(command)
    return command


def _operate(metrics_port: int | None, metrics_address: str, log_format: str, drain_seconds: float | None) -> None:
    from workers.drain import set_limit
    from workers.logs import set_up

    set_up(os.environ.get("PASSATK_LOG_LEVEL", "WARNING"), as_json=log_format == "json")
    set_limit(drain_seconds)
    if metrics_port is not None:
        from workers.metrics import WorkerMetrics, serve

        serve(WorkerMetrics(), metrics_port, metrics_address)


@click.group()
def worker() -> None:
    """Workers: processes that draw or judge until they are stopped."""


@worker.command()
@click.option("--model", required=True, help="A folder, a hub name, NAME=FOLDER, or a name used before.")
@click.option("--backend", type=click.Choice(["vllm", "openai"]), default="vllm", show_default=True)
@click.option("--concurrency", type=click.IntRange(1, 512), default=32, show_default=True, help="Batches in flight.")
@click.option(
    "--engine-option", "options", multiple=True, metavar="NAME=VALUE", help="Passed to the engine. Repeatable."
)
@_operated
def generate(model: str, backend: str, concurrency: int, options: tuple[str, ...], **operation: Any) -> None:
    """Draw samples with a model. One process for each GPU."""
    ready()
    _operate(**operation)
    from workers.generation import set_engine_options, the_generator
    from workers.queues import draw_queue

    with transaction() as connection:
        stored = ensure_model(connection, model, backend)
        usual = options_of(connection, stored)
    set_engine_options(dict(_option(text) for text in options))
    click.echo(f"Loading {stored.name} ...", err=True)
    the_generator().load(stored, usual)
    _say_ready(f"Drawing with {stored.name}")
    # Threads, not processes: the engine is one object that batches across all of them.
    _celery_worker(draw_queue(stored.name), "threads", concurrency, "generate")


@worker.command("verify")
@click.option(
    "--concurrency", type=click.IntRange(1, 512), default=default_jobs, help="Processes; default: one a core."
)
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run programs without a sandbox; every verdict says so.")
@click.option("--no-programs", is_flag=True, help="Start without a sandbox, for verifiers that run no program.")
@_operated
def verify_worker(concurrency: int, unsafe_no_sandbox: bool, no_programs: bool, **operation: Any) -> None:
    """Judge samples. Refuses to start where no sandbox holds, after real escape attempts behind its walls."""
    ready()
    _operate(**operation)
    from workers.options import sandbox_tier, without_sandbox
    from workers.queues import VERIFY_QUEUE

    if unsafe_no_sandbox:
        without_sandbox()
    walls = "" if no_programs else f", programs in sandbox tier {sandbox_tier()}"
    _say_ready(f"Judging with {concurrency} processes{walls}")
    # Processes: a verifier's sandbox starts from a main thread, and one that hangs can be killed.
    _celery_worker(VERIFY_QUEUE, "prefork", concurrency, "verify")


@worker.command("list")
@click.option("--all", "all_of_them", is_flag=True, help="Also those not seen for an hour.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_command(all_of_them: bool, format_name: str) -> None:
    """List the workers and what they did in the last minute."""
    ready()
    with transaction() as connection:
        found = list_workers(connection, all_of_them)
    if format_name == "json":
        click.echo(json.dumps([asdict(one) for one in found], default=str))
        return
    if not found:
        click.echo("No worker was seen in the last hour: `passatk worker generate`, `passatk worker verify`.")
    for one in found:
        click.echo(_line(one))


def _line(one: WorkerState) -> str:
    rates = [f"{one.samples_per_second:,.1f} samples/s", f"{one.verdicts_per_second:,.1f} verdicts/s"]
    shown = rates if "," in one.queues else rates[one.queues == "verify" :][:1]
    trouble = f"  {one.failures:,} failures: {one.error}" if one.failures else ""
    return f"{one.name}  {one.queues}  {one.device or '-'}  {one.state}  {', '.join(shown)}{trouble}"


def _say_ready(text: str) -> None:
    click.echo(f"{text}; stop with Ctrl-C, batches in work are finished first.", err=True)


def _option(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise PassatkError(f'Engine option "{text}" must be NAME=VALUE, as in max_num_seqs=128.')
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _celery_worker(queue: str, pool: str, concurrency: int, kind: str) -> None:
    import warnings

    from workers.app import app
    from workers.enqueue import check_queue

    check_queue(queue)
    # Containers run as root; what must not be root (a program under judgement) drops it by itself.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")

    # Through the command's own entrance: it alone knows --quiet, which leaves the banner out.
    app.start(
        [
            "--quiet",
            "worker",
            "--queues",
            queue,
            "--pool",
            pool,
            "--concurrency",
            str(concurrency),
            "--hostname",
            f"{kind}.{os.getpid()}@%h",
            "--loglevel",
            os.environ.get("PASSATK_LOG_LEVEL", "WARNING"),
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )
    sys.exit(0)
