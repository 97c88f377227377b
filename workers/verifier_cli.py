"""`passatk verifier`: the verifiers there are, and how one does on a benchmark's own solutions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from store.benchmarks import find_benchmark
from store.cli import ready
from store.connection import transaction
from store.errors import PassatkError
from store.quarantine import quarantine
from store.work import benchmark_format, problem_rows
from workers.judging import default_jobs
from workers.options import verifier_with, without_sandbox
from workers.selftest import Examined, SelftestFailed, selftest
from workers.verifiers import VERIFIERS, default_verifier, open_verifier, verifier_class
from workers.verifiers.protocol import Problem


@click.group()
def verifier() -> None:
    """Verifiers: list them, try one on a benchmark's own solutions."""


@verifier.command("list")
def list_command() -> None:
    """List the verifiers of this passatk with their versions; those that cannot be opened as they are say why."""
    for name in sorted(VERIFIERS):
        said = (verifier_class(name).__doc__ or "").strip().partition("\n")[0]
        try:
            opened = open_verifier(name)
        except PassatkError as error:
            click.echo(f"{name}  {said}\n    {error}")
            continue
        click.echo(f"{name}@{opened.version}  {said}")
        opened.close()


@verifier.command("selftest")
@click.argument("benchmark_label", metavar="BENCHMARK")
@click.option("--verifier", "name", help="Which verifier; default: the usual one of the benchmark's format.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Passed to the verifier. Repeatable.")
@click.option("--mutants", type=click.IntRange(0, 100), default=8, show_default=True, help="Most mutants a problem.")
@click.option("--jobs", type=click.IntRange(1, 512), default=default_jobs, help="Processes; default: one a core.")
@click.option("--quarantine", "set_aside", is_flag=True, help="Set problems aside whose reference fails.")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run programs without a sandbox; every verdict says so.")
def selftest_command(
    benchmark_label: str,
    name: str | None,
    options: tuple[str, ...],
    mutants: int,
    jobs: int,
    set_aside: bool,
    format_name: str,
    unsafe_no_sandbox: bool,
) -> None:
    """Judge a benchmark's reference solutions, which must pass, and mutants of them, which must fail.

    Lists problems whose reference fails and problems that let every mutant pass. Exit status 1 where a reference fails
    that is not set aside.
    """
    ready()
    if unsafe_no_sandbox:
        without_sandbox()
    with transaction() as connection:
        benchmark = find_benchmark(connection, benchmark_label)
        text = name or default_verifier(benchmark_format(connection, benchmark.benchmark_id))
        rows = problem_rows(connection, benchmark.benchmark_id)
    problems = [Problem(r.key, r.prompt, r.reference_answer, r.tests, r.entry_point, r.metadata) for r in rows]
    used, values = verifier_with(text, options)
    found = list(selftest(used, values, problems, mutants, jobs))
    failing = [one for one in found if one.reference_fails]
    if set_aside and failing:
        with transaction() as connection:
            quarantine(connection, benchmark, [one.key for one in failing], f"its reference fails {used}")
    _show(benchmark.label, used, found, format_name)
    if failing and not set_aside:
        raise SelftestFailed(
            f"{len(failing)} of {len(found)} problems fail their own reference; set them aside with --quarantine."
        )


def _show(label: str, used: str, found: Sequence[Examined], format_name: str) -> None:
    failing = [one for one in found if one.reference_fails]
    toothless = [one.key for one in found if one.nothing_fails and not one.reference_fails]
    without = [one.key for one in found if one.references == 0]
    made, killed = sum(one.mutants for one in found), sum(one.failed for one in found)
    shown: dict[str, Any] = {
        "benchmark": label,
        "verifier": used,
        "problems": len(found),
        "references": sum(one.references for one in found),
        "references_passed": sum(one.passed for one in found),
        "mutants": made,
        "mutants_failed": killed,
        "reference_fails": [{"key": one.key, **(one.fault or {})} for one in failing],
        "no_mutant_fails": toothless,
        "without_reference": without,
    }
    if format_name == "json":
        click.echo(json.dumps(shown, default=str))
        return
    click.echo(
        f"{used} on {label}: {shown['references_passed']:,} of {shown['references']:,} references pass, ", nl=False
    )
    click.echo(f"{killed:,} of {made:,} mutants fail.")
    for one in failing:
        fault = one.fault or {}
        why = fault.get("error") or " ".join(str(fault[name]) for name in ("outcome", "reason") if fault.get(name))
        click.echo(f"reference fails   {one.key}: {str(why)[:200]}")
    for key in toothless:
        click.echo(f"no mutant fails   {key}")
    if without:
        click.echo(
            f"without reference {len(without):,}: {', '.join(without[:10])}" + (" ..." if len(without) > 10 else "")
        )
