"""Commands of the analytics: `passatk query`, `queries`, `sql`, `export`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from store.analytics import rendering
from store.analytics.concepts import CatalogueEntry, Parameter, catalogue, concept
from store.analytics.errors import BudgetTooLarge
from store.analytics.result import Result
from store.analytics.snapshot import Snapshot, open_snapshot

_FORMAT = click.option(
    "--format", "format_name", type=click.Choice(rendering.FORMATS), default="table", show_default=True
)
_ANY_FORMAT = click.option(
    "--format",
    "format_name",
    type=click.Choice((*rendering.FORMATS, "parquet")),
    default="table",
    show_default=True,
    help="parquet needs --output, or a pipe.",
)


@click.command()
@click.option("--markdown", is_flag=True, help="Print the whole catalogue as a page in Markdown.")
@_FORMAT
def queries(format_name: str, markdown: bool) -> None:
    """List the catalogued queries."""
    if markdown:
        click.echo(rendering.catalogue_page(catalogue().values()), nl=False)
        return
    columns = ("query", "question", "parameters", "grain")
    rows = [(entry.name, entry.question, ", ".join(_spelled(entry)), entry.grain) for entry in catalogue().values()]
    click.echo(rendering.rendered(columns, rows, format_name))


def _spelled(entry: CatalogueEntry) -> list[str]:
    return [item.name if item.required else f"[{item.name}]" for item in entry.parameters]


def _list_of(kind: type[int] | type[float]) -> Callable[..., list[int | float] | None]:
    def read(_: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> list[int | float] | None:
        parts = [part for text in texts for part in text.split(",")]
        try:
            return [kind(part.replace("_", "")) for part in parts] or None
        except ValueError:
            kinds = "whole numbers such as 1,10,100" if kind is int else "numbers such as 0.5,1.5"
            raise click.BadParameter(f"{','.join(texts)!r} is not a list of {kinds}", param=option) from None

    return read


def _query_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One option for each parameter that any catalogued query has."""
    known: dict[str, Parameter] = {}
    for entry in catalogue().values():
        for parameter in entry.parameters:
            known.setdefault(parameter.name, parameter)
    for name, parameter in sorted(known.items(), reverse=True):
        option = f"--{name.replace('_', '-')}"
        text = parameter.text if parameter.default is None else f"{parameter.text} (default: {parameter.default})"
        if name == "run":
            command = click.option(option, multiple=True, help="Name of a run; repeatable.")(command)
        elif parameter.kind in ("integers", "integer list"):
            command = click.option(option, multiple=True, callback=_list_of(int), help=text)(command)
        elif parameter.kind == "numbers":
            command = click.option(option, multiple=True, callback=_list_of(float), help=text)(command)
        else:
            types: dict[str, Any] = {"integer": int, "number": float}
            command = click.option(option, type=types.get(parameter.kind, str), help=text)(command)
    return command


#: Columns that say something of a run's scores, whatever k is.
_OF_ANY_K = frozenset({"missing_share", "tie_share"})


@click.command()
@click.argument("name")
@_query_options
@click.option("--show-sql", is_flag=True, help="Print the SQL instead of the answer.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@_ANY_FORMAT
def query(name: str, format_name: str, show_sql: bool, output: Path | None, **given: Any) -> None:
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
        rendering.write(answer.table, format_name, output, units)
        if format_name == "table" and output is None:
            click.echo(f"\nSnapshot taken at {snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC.")
        for note in answer.notes:
            click.echo(note, err=format_name != "table" or output is not None)


def _kind(entry: CatalogueEntry, name: str) -> str | None:
    return next((parameter.kind for parameter in entry.parameters if parameter.name == name), None)


def _refuse_empty_curve(snapshot: Snapshot, entry: CatalogueEntry, answer: Result, parameters: dict[str, Any]) -> None:
    """Every k above what there is: an error that says the largest k, not a table of nothing."""
    if "k" not in answer.columns:
        return
    value = answer.columns.index("k") + 1
    places = [place for place, name in enumerate(answer.columns[:-1]) if place >= value and name not in _OF_ANY_K]
    if any(isinstance(row[place], float) for row in answer.rows for place in places):
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


@click.group()
def export() -> None:
    """Write rows and curves out for other tools, a folder a run."""


def _export_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--format",
            "format_name",
            type=click.Choice(("parquet", "csv", "jsonl")),
            default="parquet",
            show_default=True,
        ),
        click.option("--run", "runs", multiple=True, help="Name of a run; repeatable (default: every run)."),
        click.option(
            "--to",
            "folder",
            type=click.Path(file_okay=False, path_type=Path),
            required=True,
            help="New folder to write to.",
        ),
    ):
        command = option(command)
    return command


@export.command("samples")
@click.option("--text", is_flag=True, help="With the completions' text.")
@_export_options
def export_samples(format_name: str, runs: tuple[str, ...], folder: Path, text: bool) -> None:
    """Samples, a row each."""
    _export("samples", format_name, runs, folder, text)


@export.command("verdicts")
@_export_options
def export_verdicts(format_name: str, runs: tuple[str, ...], folder: Path) -> None:
    """Verdicts, a row each."""
    _export("verdicts", format_name, runs, folder)


@export.command("curves")
@_export_options
def export_curves(format_name: str, runs: tuple[str, ...], folder: Path) -> None:
    """Coverage curves by every verifier that judged a run."""
    _export("curves", format_name, runs, folder)


def _export(what: Any, format_name: Any, runs: tuple[str, ...], folder: Path, text: bool = False) -> None:
    from store.analytics.export import export as write_out

    with open_snapshot() as snapshot:
        done = write_out(snapshot, what, folder, format_name, list(runs) or None, text)
        for file in done.files:
            click.echo(str(file))
    click.echo(f"{done.rows:,} rows in {len(done.files)} files.")
