"""`passatk benchmark`: sets of problems."""

from __future__ import annotations

from pathlib import Path

import click

from store.benchmark_files import FORMATS, Selection
from store.benchmarks import import_benchmark, list_benchmarks
from store.command_output import print_table
from store.errors import PassatkError
from store.hub_files import fetch


@click.group()
def benchmark() -> None:
    """Sets of problems."""


@benchmark.command("import")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--name", required=True, help="Name of the benchmark.")
@click.option("--format", "format_name", type=click.Choice(sorted(FORMATS)), required=True)
@click.option("--map", "column_map", help="For jsonl and parquet: OURS=THEIRS,..., as in prompt=text,id=number.")
@click.option("--limit", type=int, help="Take this many problems: the first, or with --subset-seed random ones.")
@click.option("--subset-seed", type=int, help="Draw the problems of --limit with this seed.")
@click.option("--ids", help="Take these problems: ID,ID,... or @FILE with one a line.")
@click.option("--from-hub", metavar="ORG/NAME", help="Fetch the data set from the hub instead of reading FILE.")
@click.option("--split", default="test", show_default=True, help="Split to fetch from the hub.")
@click.option("--config", help="Configuration to fetch from the hub.")
def import_command(
    file: Path | None,
    name: str,
    format_name: str,
    column_map: str | None,
    limit: int | None,
    subset_seed: int | None,
    ids: str | None,
    from_hub: str | None,
    split: str,
    config: str | None,
) -> None:
    """Store the problems of FILE (JSON lines, JSON, Parquet, .gz, a folder). The same again changes nothing."""
    from store.cli import ready

    if (file is None) == (from_hub is None):
        raise PassatkError("Give a FILE, or --from-hub ORG/NAME, and not both.")
    if subset_seed is not None and limit is None:
        raise PassatkError("--subset-seed draws --limit problems: give both.")
    ready()
    path = fetch(from_hub, split, config) if from_hub is not None else file
    assert path is not None
    source = None if from_hub is None else f"hub:{from_hub}/{split}"
    selection = Selection(limit, subset_seed, _keys(ids))
    stored, is_new = import_benchmark(path, name, format_name, selection, _columns(column_map), source)
    click.echo(
        f"Benchmark {stored.label}: {stored.problem_count} problems "
        + ("stored." if is_new else "were stored before; nothing changed.")
    )


def _keys(ids: str | None) -> tuple[str, ...]:
    if not ids:
        return ()
    if not ids.startswith("@"):
        return tuple(key.strip() for key in ids.split(",") if key.strip())
    try:
        return tuple(key for key in Path(ids[1:]).read_text(encoding="utf-8").splitlines() if key.strip())
    except OSError as error:
        raise PassatkError(f"{ids[1:]}: cannot be read ({error.strerror}).") from error


def _columns(text: str | None) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in (text or "").split(",") if pair.strip()]
    for ours, separator, theirs in pairs:
        if not ours.strip() or not separator or not theirs.strip():
            raise PassatkError(f'--map "{ours}{separator}{theirs}" must be OURS=THEIRS.')
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


@benchmark.command("list")
def list_command() -> None:
    """List the benchmarks."""
    from store.cli import ready

    ready()
    rows = [(found.label, found.format, f"{found.problem_count:,}") for found in list_benchmarks()]
    print_table(("benchmark", "format", "problems"), rows, "No benchmark yet: `passatk benchmark import FILE`.")
