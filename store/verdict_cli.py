"""`passatk verdict`: what verdicts say beside each other."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from store.cli import ready
from store.connection import transaction
from store.runs import find_run
from store.verdict_comparison import compare_verdicts, flips, verifier_of_run

_FORMAT = click.option(
    "--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@click.group()
def verdict() -> None:
    """Verdicts beside each other: versions of a verifier, repeated judgements."""


@verdict.command()
@click.argument("run", metavar="RUN")
@click.option("--from", "before", required=True, metavar="V@VERSION", help="The verifier before.")
@click.option("--to", "after", required=True, metavar="V@VERSION", help="The verifier after.")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="Moved samples to list; 0: all.")
@_FORMAT
def diff(run: str, before: str, after: str, limit: int, format_name: str) -> None:
    """Say which outcomes moved from one verifier (or version) to another, by majority of their attempts."""
    ready()
    with transaction() as connection:
        found = find_run(connection, run)
        one, other = (verifier_of_run(connection, found, label) for label in (before, after))
        difference = compare_verdicts(connection, found, one, other)
    listed = difference.moved[: limit or None]
    if format_name == "json":
        counts = [{"from": a, "to": b, "samples": count} for (a, b), count in sorted(difference.counts.items())]
        shown = {
            "run": run,
            "from": f"{one.name}@{one.version}",
            "to": f"{other.name}@{other.version}",
            "counts": counts,
            "moved": len(difference.moved),
            "only_from": difference.only_before,
            "only_to": difference.only_after,
            "samples": [asdict(moved) for moved in listed],
        }
        click.echo(json.dumps(shown))
        return
    both = sum(difference.counts.values())
    click.echo(f"{both:,} samples judged by both, {len(difference.moved):,} of them otherwise.")
    for (a, b), count in sorted(difference.counts.items()):
        click.echo(f"  {a:<10} -> {b:<10} {count:,}")
    if difference.only_before or difference.only_after:
        click.echo(
            f"Judged by one alone: {difference.only_before:,} by the first, {difference.only_after:,} by the other."
        )
    for moved in listed:
        said = f"{moved.before} ({moved.reason_before or '-'}) -> {moved.after} ({moved.reason_after or '-'})"
        click.echo(f"  {moved.problem} sample {moved.sample_index}: {said}")
    if len(listed) < len(difference.moved):
        click.echo(f"  ... {len(difference.moved) - len(listed):,} more; --limit 0 lists all.")


@verdict.command("flips")
@click.argument("run", metavar="RUN")
@click.option("--verifier", "label", required=True, metavar="V[@VERSION]", help="The verifier that judged repeatedly.")
@_FORMAT
def flips_command(run: str, label: str, format_name: str) -> None:
    """Say how often repeated judgements of the same sample disagree: the flip rate, and the problems it comes from."""
    ready()
    with transaction() as connection:
        found = find_run(connection, run)
        row = verifier_of_run(connection, found, label)
        told = flips(connection, found, row)
    if format_name == "json":
        worst = [{"problem": key, "samples": samples, "flipped": flipped} for key, samples, flipped in told.worst]
        shown = {"run": run, "verifier": f"{row.name}@{row.version}", "samples": told.samples, "flipped": told.flipped}
        click.echo(json.dumps({**shown, "attempts": told.attempts, "flip_rate": told.rate, "problems": worst}))
        return
    if told.rate is None:
        click.echo(f"No sample has two decided verdicts of {label}: `passatk verify --run {run} --repeat 3`.")
        return
    click.echo(
        f"{told.flipped:,} of {told.samples:,} samples flip ({told.rate:.2%}), {told.attempts:,} verdicts in all."
    )
    for key, samples, flipped in told.worst:
        click.echo(f"  {key}: {flipped:,} of {samples:,}")
