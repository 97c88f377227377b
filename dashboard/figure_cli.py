"""`passatk figure` and `passatk report`: the charts of the pages as files, without a server or a network."""

from __future__ import annotations

from pathlib import Path

import click

from dashboard.answers import Once
from dashboard.charts.cost import Reference
from dashboard.charts.quantities import QUANTITIES
from dashboard.figures.catalogue import FIGURES, asked_for, draw
from dashboard.figures.spending import Paying
from dashboard.rendering import FORMATS, WIDTH, UnknownFormat, rendered
from dashboard.report import write_report
from dashboard.tables import csv_text
from store.analytics import open_snapshot
from store.errors import PassatkError


class CannotWrite(PassatkError):
    """A file could not be written."""


@click.command()
@click.argument("name", type=click.Choice(list(FIGURES)), metavar="NAME")
@click.option("--run", "runs", multiple=True, help="A run; repeat it. Every judged run when not given.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="FILE.svg|png|pdf")
@click.option("--verifier", help="NAME@VERSION that judges; each run's reference when not given.")
@click.option("--k", type=click.IntRange(1), help="Marks this number of samples.")
@click.option(
    "--x", type=click.Choice([one for one in QUANTITIES if one != "flops"]), help="Of spent and cost: the axis."
)
@click.option("--reference", type=click.FloatRange(0, 100), help="Of cost: a line at this share, %.")
@click.option("--reference-source", default="reference", show_default=True, help="Where that share is from.")
@click.option(
    "--prompt-per",
    type=click.Choice(["request", "sample"]),
    default="request",
    show_default=True,
    help="Of cost: whether a prompt is paid once a request or for every sample.",
)
@click.option(
    "--verifier-priced",
    type=click.Choice(["no", "yes"]),
    default="no",
    show_default=True,
    help="Of cost: whether what the verifier took is paid for.",
)
@click.option("--forecast", is_flag=True, help="Of coverage: a dotted forecast to ten times the data.")
@click.option("--mode", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@click.option("--width", type=click.IntRange(320, 4000), default=WIDTH, show_default=True, help="Pixels.")
@click.option("--csv", is_flag=True, help="Writes the numbers beside the picture, FILE.csv.")
def figure(
    name: str,
    runs: tuple[str, ...],
    output: Path,
    verifier: str | None,
    k: int | None,
    x: str | None,
    reference: float | None,
    reference_source: str,
    prompt_per: str,
    verifier_priced: str,
    forecast: bool,
    mode: str,
    width: int,
    csv: bool,
) -> None:
    """Draw figure NAME into a file.

    \b
    NAME is one of
      coverage    coverage against samples, a chart a benchmark
      family      the same, a chart a model family
      spent       coverage against US$ or tokens (--x)
      selection   what each way to pick a sample keeps of coverage
      pass-rates  how hard the problems are
      power-law   -log coverage on log-log axes with the fitted law
      cost        cost against solved problems, with a --reference line
      compare     paired differences to the first run
    """
    kind = output.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise UnknownFormat(f"{output}: the name must end in .{', .'.join(FORMATS)}.")
    with open_snapshot() as snapshot:
        asker = Once(snapshot)
        asked = asked_for(
            asker,
            runs,
            verifier=verifier,
            marker=k,
            quantity=QUANTITIES[x] if x else None,
            reference=Reference(reference / 100, reference_source) if reference is not None else None,
            forecast=forecast,
            paying=Paying(prompt_per, verifier_priced),
        )
        drawn = draw(asker, name, asked)
    _write(output, rendered(drawn.spec, kind, mode, width, drawn.title))
    if csv:
        _write(output.with_suffix(".csv"), csv_text(drawn.records).encode())
    click.echo(f"{output}: {drawn.caption}")


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to make.")
@click.option("--title", default="Repeated sampling: results", show_default=True)
def report(runs: tuple[str, ...], output: Path, title: str) -> None:
    """Write a report about RUNS (every judged run when none is named) that opens without a server.

    The folder gets index.html with the figures drawn into it, a CSV file for each figure, and nothing that is fetched
    from elsewhere.
    """
    with open_snapshot() as snapshot:
        asker = Once(snapshot)
        written = write_report(asker, asked_for(asker, runs), output, title)
    click.echo(f"{written.page}: {len(written.figures)} figures, {len(written.files)} CSV files.")
    for sentence in written.left_out:
        click.echo(f"left out: {sentence}", err=True)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}.") from error
