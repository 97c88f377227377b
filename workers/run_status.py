"""How far runs are and what they are: `passatk run list, status, show, clone`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from store.cli import ready
from store.connection import transaction
from store.progress import RunProgress, run_progress
from store.run_settings import cloned, settings_of
from store.runs import Run, Sampling, find_run, list_runs
from store.spending import spent_of
from workers.watch import current


@click.command("list")
def list_command() -> None:
    """List the runs."""
    ready()
    with transaction() as connection:
        runs = [(row, find_run(connection, row.name)) for row in list_runs(connection)]
        rows = [(row, found, run_progress(connection, found)) for row, found in runs]
    if not rows:
        click.echo("No runs yet: `passatk run create` or `passatk samples import`.")
    for row, found, progress in rows:
        drawn = f"{progress.samples:,}" + (f"/{progress.samples_wanted:,}" if progress.samples_wanted else "")
        click.echo(
            f"{row.name}  {row.benchmark}  {row.model}  {drawn} samples  {row.source}  {state_of(found, progress)}"
        )


def state_of(found: Run, progress: RunProgress) -> str:
    """One word for how a run stands."""
    if found.state != "open":
        return found.state
    if progress.open_batches:
        return "running"
    if progress.failed_batches:
        return "incomplete"
    if progress.samples_wanted is not None and progress.samples < progress.samples_wanted:
        if not progress.samples:
            return "not started"
        # By its rule or budget it has had enough: the next step is planned before the last batch is done.
        return "complete" if found.stepwise else "incomplete"
    return "complete"


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True)
def status(name: str, format_name: str) -> None:
    """Say how far a run is."""
    ready()
    with transaction() as connection:
        found = find_run(connection, name)
        spent = spent_of(connection, found) if found.budget else {}
    progress = current(found)
    if format_name == "json":
        click.echo(json.dumps(_status_values(found, progress, spent)))
        return
    click.echo(f"{found.name}: {state_of(found, progress)}")
    most = "at most " if found.stepwise else ""
    wanted = "" if progress.samples_wanted is None else f" of {most}{progress.samples_wanted:,}"
    cut = f"{progress.truncated:,} cut by the token limit, {progress.empty:,} empty"
    click.echo(f"samples    {progress.samples:,}{wanted}, {cut}")
    for line in _rule_lines(found, spent):
        click.echo(line)
    for one in progress.verifiers:
        click.echo(f"{one.verifier:<10} judged {one.judged:,}: {one.correct:,} correct, {one.undecided:,} undecided")
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(progress.batches.items()))
    click.echo(f"batches    {states or 'none planned'}")
    for error in progress.errors:
        click.echo(f"set aside: {error}")


def _rule_lines(found: Run, spent: dict[str, float]) -> list[str]:
    """The stopping rule and what is left of a budget; nothing for a run of fixed n."""
    lines = []
    if found.stopping["rule"] != "fixed":
        pilot = f", pilot of {found.pilot_samples}" if found.pilot_samples else ""
        lines.append(f"stops by   {found.stopping['rule']}, at most {found.samples_per_problem} a problem{pilot}")
    limits = {"samples": found.budget_samples, "usd": found.budget_usd, "gpu_hours": found.budget_gpu_hours}
    told = {
        "samples": "{:,.0f} of {:,.0f} samples",
        "usd": "US${:,.4f} of {:,.4f}",
        "gpu_hours": "{:.4f} of {:.4f} GPU h",
    }
    used = [told[name].format(spent.get(name, 0.0), limit) for name, limit in limits.items() if limit is not None]
    return lines + ([f"budget     {', '.join(used)}"] if used else [])


def _status_values(found: Run, progress: RunProgress, spent: dict[str, float]) -> dict[str, Any]:
    return {
        "run": found.name,
        "state": state_of(found, progress),
        "samples_per_problem": found.samples_per_problem,
        "stopping": dict(found.stopping),
        "spent": spent,
        **{name: value for name, value in asdict(progress).items() if name != "run_state"},
    }


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--format", "format_name", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(name: str, format_name: str) -> None:
    """Say what a run is: everything that decided its samples, and the engines that drew them."""
    ready()
    with transaction() as connection:
        told = settings_of(connection, find_run(connection, name))
    if format_name == "json":
        click.echo(json.dumps(told, ensure_ascii=False, default=str))
        return
    for key, value in told.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        click.echo(f"{key:<20} {text}")


@click.command()
@click.argument("name", metavar="RUN")
@click.option("--name", "new_name", help="Name of the new run; default: RUN-seedSEED.")
@click.option("--seed", type=int, help="Another seed: an independent repetition.")
@click.option("--samples", type=int, help="Samples for each problem; for a stopping rule its cap.")
@click.option("--temperature", type=float, help="Another temperature.")
def clone(name: str, new_name: str | None, seed: int | None, samples: int | None, temperature: float | None) -> None:
    """Create a run like another, with another seed (or temperature, or number of samples)."""
    ready()
    given = {"seed": seed, "temperature": temperature}
    changed = {field: value for field, value in given.items() if value is not None}
    with transaction() as connection:
        found = find_run(connection, name)
        usual = f"{found.name}-" + "-".join(f"{field}{value:g}" for field, value in changed.items())
        values = {**found.sampling, **changed}
        Sampling(**{field: values[field] for field in Sampling.__dataclass_fields__ if field != "stop"})
        created, is_new = cloned(
            connection, found, new_name or (usual if changed else f"{found.name}-copy"), values, samples
        )
    click.echo(f"Run {created.name} {'created' if is_new else 'exists'}. Next: `passatk run start {created.name}`.")


COMMANDS = (list_command, status, show, clone)
