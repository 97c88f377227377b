"""`passatk tests`: tests that a model wrote, in suites."""

from __future__ import annotations

from pathlib import Path

import click

from store.cli import ready
from store.generated_tests import import_tests, list_suites


@click.group()
def tests() -> None:
    """Tests that a model wrote for the problems of a benchmark."""


@tests.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--benchmark", "benchmark_label", required=True, help="NAME or NAME@VERSION.")
@click.option("--suite", required=True, help="Name of the set, such as the model that wrote it.")
@click.option(
    "--per-sample", type=click.IntRange(0), default=5, show_default=True, help="Most tests of one generation; 0: all."
)
def import_command(file: Path, benchmark_label: str, suite: str, per_sample: int) -> None:
    """Store the tests of FILE (.gz too) as a suite. The same file again changes nothing.

    A line is {"task_id", "samples": [text, ...]}: what a model wrote after a prompt that ends in `assert`; or
    {"task_id", "tests": [assertion, or {"input", "output"}, ...]}.
    """
    ready()
    found = import_tests(file, benchmark_label, suite, per_sample)
    what = "stored" if found.new else "were stored before; nothing changed"
    click.echo(
        f"Suite {suite} of {found.benchmark.label}: {found.tests:,} tests for {found.problems:,} problems {what}."
    )
    click.echo(f"Judge a run against them: passatk verify --run RUN --verifier generated-tests --option suite={suite}")


@tests.command("list")
@click.option("--benchmark", "benchmark_label", required=True, help="NAME or NAME@VERSION.")
def list_command(benchmark_label: str) -> None:
    """List a benchmark's suites."""
    ready()
    rows = list_suites(benchmark_label)
    if not rows:
        click.echo("No suite yet: `passatk tests import`.")
    for suite, count, over in rows:
        click.echo(f"{suite}  {count:,} tests for {over:,} problems")
