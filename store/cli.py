"""Commands of the store: `passatk store`, `price`."""

from __future__ import annotations

import os
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from store import embedded, schema
from store.benchmark_cli import benchmark as benchmark
from store.command_output import print_table
from store.connection import database_url, reader_url, transaction
from store.errors import PassatkError
from store.model_registry import list_prices, set_price
from store.runs import find_run
from store.samples_cli import samples as samples
from store.settings import StoreSettings
from store.stage_costs import record_stage_costs


def ready() -> None:
    """Make sure the store answers and has this code's tables."""
    settings = StoreSettings.from_environment()
    schema.ensure(embedded=settings.database_url is None)


@click.group()
def store() -> None:
    """Start, stop and look at the store."""


@store.command()
def up() -> None:
    """Start the embedded server (or reach the given one) and bring its tables up to date."""
    revision = schema.upgrade()
    click.echo(f"The store is up at {database_url()} (schema revision {revision}).")


@store.command()
def down() -> None:
    """Stop the embedded server."""
    settings = StoreSettings.from_environment()
    if settings.database_url is not None:
        raise PassatkError("PASSATK_DATABASE_URL names a server of your own; stop it where it was started.")
    stopped = embedded.stop(settings.home)
    click.echo("The embedded server is stopped." if stopped else "The embedded server was not running.")


@store.command()
def status() -> None:
    """Say where the store is and what it holds. Starts nothing."""
    settings = StoreSettings.from_environment()
    if settings.database_url is None and not embedded.is_running(settings.home):
        made = "is stopped" if embedded.exists(settings.home) else "was never started"
        raise PassatkError(f"The embedded store in {settings.home} {made}: start it with `passatk store up`.")
    schema.check_reachable()
    revision = schema.current_revision()
    click.echo(f"store       {database_url(settings)}")
    click.echo(f"revision    {revision or 'none'} (this passatk needs {schema.head_revision()})")
    if revision is None:
        return
    with transaction() as connection:
        for table in ("benchmarks", "runs", "samples", "verdicts"):
            count = connection.exec_driver_sql(f"SELECT count(*) FROM store.{table}").scalar_one()  # noqa: S608
            click.echo(f"{table:<12}{count:,}")


@store.command()
@click.option("--reader", is_flag=True, help="The role that reads schema analytics and nothing else.")
def url(reader: bool) -> None:
    """Print the store's address, for psql and other clients."""
    click.echo(reader_url() if reader else database_url())


@store.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open the embedded server's own psql as the read-only role; arguments are psql's."""
    ready()
    program = str(embedded.psql_path(StoreSettings.from_environment().home))
    os.execv(program, [program, reader_url(), *arguments])


@click.group()
def price() -> None:
    """What models cost."""


class _Usd(click.ParamType[Decimal]):
    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            return Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not an amount of US$.", param, ctx)


@price.command("set")
@click.option("--model", required=True)
@click.option("--input", "input_usd", type=_Usd(), required=True, help="US$ per million prompt tokens.")
@click.option("--output", "output_usd", type=_Usd(), required=True, help="US$ per million completion tokens.")
@click.option("--cached-input", type=_Usd(), help="US$ per million prompt tokens read from a cache.")
@click.option("--cache-write", type=_Usd(), help="US$ per million prompt tokens written to a cache; default: as input.")
@click.option("--reasoning", type=_Usd(), help="US$ per million reasoning tokens; default: as output.")
@click.option("--request", type=_Usd(), help="US$ per request, beside its tokens.")
@click.option("--gpu-hour", type=_Usd(), help="US$ per GPU hour.")
@click.option("--source", help="Where the price was read.")
@click.option("--from", "valid_from", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First day of the price.")
def set_command(
    model: str,
    input_usd: Decimal,
    output_usd: Decimal,
    cached_input: Decimal | None,
    cache_write: Decimal | None,
    reasoning: Decimal | None,
    request: Decimal | None,
    gpu_hour: Decimal | None,
    source: str | None,
    valid_from: datetime,
) -> None:
    """Set a model's price from a day on. Older prices stay; stored samples are priced again by the next query."""
    ready()
    day: date = valid_from.date()
    with transaction() as connection:
        set_price(
            connection,
            model,
            day,
            input_usd,
            output_usd,
            cached_input_usd=cached_input,
            gpu_hour_usd=gpu_hour,
            cache_write_usd=cache_write,
            reasoning_usd=reasoning,
            request_usd=request,
            source=source,
        )
    click.echo(f"{model} costs US$ {input_usd} in and {output_usd} out per million tokens from {day}.")


@price.command("stages")
@click.argument("run_name", metavar="RUN")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def stages_command(run_name: str, file: Path) -> None:
    """Record what the stages of RUN's pipeline used, beside its samples: FILE is JSON lines or .csv.

    Fields: stage; problem, model (optional); requests, input_tokens, cached_input_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, gpu_seconds, usd. Then: passatk query stage_costs --run RUN.
    """
    ready()
    with transaction() as connection:
        stored, known = record_stage_costs(connection, find_run(connection, run_name), file)
    click.echo(f"{stored:,} costs stored" + (f", {known:,} were there already." if known else "."))


@price.command("list")
def list_prices_command() -> None:
    """List the prices, in US$ per million tokens."""
    ready()
    with transaction() as connection:
        rows = [tuple("" if value is None else str(value) for value in row) for row in list_prices(connection)]
    print_table(
        ("model", "from", "input", "cached input", "output", "gpu hour"), rows, "No price yet: `passatk price set`."
    )
