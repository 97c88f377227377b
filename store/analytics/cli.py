"""Commands of the analytics: `passatk mirror`, `query`, `queries`, `sql`."""

from __future__ import annotations

from typing import Any

import click

from store.analytics import rendering
from store.analytics.concepts import CatalogueEntry, catalogue, concept
from store.analytics.errors import BudgetTooLarge, MirrorDamaged
from store.analytics.result import Result
from store.analytics.snapshot import Snapshot, open_snapshot
from store.settings import StoreSettings

_FORMAT = click.option(
    "--format", "format_name", type=click.Choice(rendering.FORMATS), default="table", show_default=True
)


@click.group()
def mirror() -> None:
    """The columnar copy of the store that queries and the dashboard read."""


@mirror.command("refresh")
@click.option("--rebuild", is_flag=True, help="Pull everything again, as if the mirror were empty.")
def refresh_command(rebuild: bool) -> None:
    """Bring the mirror up to date with the store."""
    from store.analytics.refresh import refresh
    from store.analytics.store_address import store_address

    settings = StoreSettings.from_environment()
    report = refresh(store_address(settings), settings.mirror, rebuild)
    moment = f"{report.taken_at:%Y-%m-%d %H:%M:%S} UTC"
    if not report.changed:
        click.echo(f"Nothing is new in the store: snapshot {report.snapshot_id} holds as of {moment}.")
        return
    pulled = ", ".join(f"{rows:,} {name.replace('_', ' ')}" for name, rows in report.rows.items() if rows)
    click.echo(
        f"Snapshot {report.snapshot_id}, taken at {moment}: {report.new_batches:,} new batches of "
        f"{len(report.runs)} runs ({pulled or 'no rows'}) in {report.seconds:.1f} s."
    )


@mirror.command("status")
def status_command() -> None:
    """Say what the mirror holds and when it was taken."""
    settings = StoreSettings.from_environment()
    with open_snapshot(settings.mirror) as snapshot:
        click.echo(f"mirror    {settings.mirror}")
        click.echo(f"snapshot  {snapshot.snapshot_id}, taken at {snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC")
        click.echo(f"source    {snapshot.source}")
        for row in snapshot.rows(
            "SELECT fact, sum(rows)::BIGINT AS rows, count(*) AS files, sum(bytes)::BIGINT AS bytes "
            "FROM mirror.segments GROUP BY fact ORDER BY fact"
        ):
            size = row["bytes"] / 1e6
            click.echo(f"{row['fact']:<17} {row['rows']:>13,} rows in {row['files']:,} segments, {size:,.1f} MB")


@mirror.command("compact")
def compact_command() -> None:
    """Merge small segments into large ones."""
    from store.analytics.compact import compact

    report = compact(StoreSettings.from_environment().mirror)
    merged = report.before != report.after
    click.echo(f"{report.before:,} segments became {report.after:,}." if merged else "There is nothing to merge.")


@mirror.command("verify")
def verify_command() -> None:
    """Prove that the mirror holds what the store holds; exit status 1 when it does not."""
    from store.analytics.store_address import store_address
    from store.analytics.verify import verify

    settings = StoreSettings.from_environment()
    report = verify(store_address(settings), settings.mirror)
    late = f" {report.behind:,} batches are newer: `passatk mirror refresh`." if report.behind else ""
    if not report.differences:
        click.echo(f"Mirror and store agree on {report.rows:,} rows.{late}")
        return
    found = "; ".join(
        f"{one.fact} of run {one.run} ({one.in_store:,} rows in the store, {one.in_mirror:,} in the mirror)"
        for one in report.differences
    )
    raise MirrorDamaged(
        f"Mirror and store differ in {found}: `passatk mirror refresh --rebuild` pulls everything again."
    )


@click.command()
@_FORMAT
def queries(format_name: str) -> None:
    """List the catalogued queries."""
    columns = ("query", "question", "parameters", "grain")
    rows = [(entry.name, entry.question, ", ".join(_spelled(entry)), entry.grain) for entry in catalogue().values()]
    click.echo(rendering.rendered(columns, rows, format_name))


def _spelled(entry: CatalogueEntry) -> list[str]:
    return [item.name if item.required else f"[{item.name}]" for item in entry.parameters]


def _numbers(_: click.Context, option: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part.replace("_", "")) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of whole numbers such as 1,10,100", param=option) from None


@click.command()
@click.argument("name")
@click.option("--run", multiple=True, help="Name of a run; repeatable.")
@click.option("--verifier", help="NAME or NAME@VERSION of the verifier that judges (default: the run's reference).")
@click.option("--answers-from", help="Verifier whose answers are voted on.")
@click.option("--reference", help="Verifier taken as the truth about another verifier.")
@click.option("--k", callback=_numbers, help="Samples per problem, as 1,10,100 (default: a lattice up to n).")
@click.option("--policy", help="strict, complete_case or bounds: where problems have fewer than k samples.")
@click.option("--quarantined", help="include or exclude: whether problems that are set aside count.")
@click.option("--price-day", help="Day (YYYY-MM-DD) whose price sheet is used.")
@click.option("--target", type=float, help="Share of problems to solve, as 0.6.")
@click.option("--least-runs", type=int)
@click.option("--problem", help="Name of a problem.")
@click.option("--sample-index", type=int)
@click.option("--outcome", help="correct, incorrect, undecided or unjudged.")
@click.option("--limit", type=int)
@click.option("--offset", type=int)
@click.option("--show-sql", is_flag=True, help="Print the SQL instead of the answer.")
@_FORMAT
def query(name: str, format_name: str, show_sql: bool, **given: Any) -> None:
    """Answer the catalogued query NAME (`passatk queries` lists them)."""
    entry = concept(name)
    parameters = {
        key: list(value) if key == "run" else value for key, value in given.items() if value not in (None, ())
    }
    if "run" in parameters and _kind(entry, "run") == "text" and len(parameters["run"]) == 1:
        parameters["run"] = parameters["run"][0]
    with open_snapshot() as snapshot:
        answer = snapshot.query(name, **parameters)
        if "k" in parameters:
            _refuse_empty_curve(snapshot, entry, answer, parameters)
        if show_sql:
            click.echo(answer.sql)
            return
        units = {column.name: column.unit for column in entry.columns}
        click.echo(rendering.rendered(answer.columns, answer.rows, format_name, units))
        if format_name == "table":
            click.echo(f"\nSnapshot taken at {snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC.")
        for note in answer.notes:
            click.echo(note, err=format_name != "table")


def _kind(entry: CatalogueEntry, name: str) -> str | None:
    return next((parameter.kind for parameter in entry.parameters if parameter.name == name), None)


def _refuse_empty_curve(snapshot: Snapshot, entry: CatalogueEntry, answer: Result, parameters: dict[str, Any]) -> None:
    """Every k above what there is: an error that says the largest k, not a table of nothing."""
    value = answer.columns.index("k") + 1
    if any(cell is not None for row in answer.rows for cell in row[value:-1] if isinstance(cell, float)):
        return
    whole = snapshot.query(entry.name, **{key: item for key, item in parameters.items() if key != "k"})
    known = [row[value - 1] for row in whole.rows if isinstance(row[value], float)]
    asked = ", ".join(f"{k:,}" for k in parameters["k"])
    if known:
        raise BudgetTooLarge(
            f"k = {asked} is more than the judged samples of a problem: the largest k is {max(known):,}."
        )
    raise BudgetTooLarge(f"k = {asked} has no answer: some problem has no judged sample at all.")


@click.command()
@click.argument("text")
@_FORMAT
def sql(text: str, format_name: str) -> None:
    """Run one SELECT over the mirror, read-only, and print what it gives."""
    from store.analytics.sql_runner import run_sql

    answer = run_sql(text)
    click.echo(rendering.rendered(answer.columns, answer.rows, format_name))
    if answer.cut:
        click.echo(answer.cut, err=True)
