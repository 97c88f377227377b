"""`passatk problem`: single problems of a benchmark, and those set aside."""

from __future__ import annotations

import json

import click

from store.benchmarks import find_benchmark
from store.cli import ready
from store.connection import transaction
from store.quarantine import listed_problems, quarantine, release


@click.group()
def problem() -> None:
    """Problems: list them, set faulty ones aside, take them back."""


@problem.command("list")
@click.argument("benchmark", metavar="BENCHMARK")
@click.option("--quarantined", is_flag=True, help="Only those set aside.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_command(benchmark: str, quarantined: bool, format_name: str) -> None:
    """List a benchmark's problems (NAME or NAME@VERSION)."""
    ready()
    with transaction() as connection:
        rows = listed_problems(connection, find_benchmark(connection, benchmark), quarantined)
    if format_name == "json":
        shown = [
            {"key": row.key, "quarantined": row.since is not None, "reason": row.reason,
             "since": None if row.since is None else row.since.isoformat()}
            for row in rows
        ]  # fmt: skip
        click.echo(json.dumps(shown))
        return
    for row in rows:
        click.echo(row.key if row.since is None else f"{row.key}  set aside {row.since:%Y-%m-%d}: {row.reason}")
    if not rows:
        click.echo("No problem is set aside.")


@problem.command("quarantine")
@click.argument("benchmark", metavar="BENCHMARK")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--reason", required=True, help="Why: its reference fails, its tests are flaky, its answer is wrong.")
def quarantine_command(benchmark: str, keys: tuple[str, ...], reason: str) -> None:
    """Set problems aside. Samples and verdicts stay; every curve can be taken with or without them."""
    ready()
    with transaction() as connection:
        found = find_benchmark(connection, benchmark)
        new = quarantine(connection, found, keys, reason)
    click.echo(
        f"{new:,} problems of {found.label} set aside"
        + (f", {len(set(keys)) - new:,} were already." if new < len(set(keys)) else ".")
    )


@problem.command("release")
@click.argument("benchmark", metavar="BENCHMARK")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
def release_command(benchmark: str, keys: tuple[str, ...]) -> None:
    """Take problems back that were set aside."""
    ready()
    with transaction() as connection:
        found = find_benchmark(connection, benchmark)
        lifted = release(connection, found, keys)
    click.echo(f"{lifted:,} problems of {found.label} taken back.")
