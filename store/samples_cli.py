"""`passatk samples`: samples that were drawn elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import click

from store.errors import PassatkError
from store.import_placing import SampleFile
from store.importers import FORMATS
from store.sample_export import FORMATS as EXPORT_FORMATS
from store.sample_export import export_samples
from store.sample_import import Imported, import_samples

#: The stop words of the HumanEval study that the paper builds on.
HUMANEVAL_STOP_WORDS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


@click.group()
def samples() -> None:
    """Samples that were drawn elsewhere."""


@samples.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_name", type=click.Choice(["auto", *sorted(FORMATS)]), default="auto")
@click.option("--run", "run_name", help="Run that holds the samples; default: the file's name.")
@click.option(
    "--benchmark",
    "benchmark_label",
    help="NAME or NAME@VERSION; a new NAME is made of the problems the file carries. Default: what the file says.",
)
@click.option("--model", help="Model that drew them; default: what the file says.")
@click.option("--stop-word", "stop_words", multiple=True, help="Cut completions here; \\n is a line break. Repeatable.")
@click.option("--humaneval-stop-words", is_flag=True, help=r"Cut at \nclass, \ndef, \n#, \nif and \nprint.")
@click.option("--map", "column_map", help="For jsonl and parquet: OURS=THEIRS,..., as in completion=text,problem=id.")
@click.option("--tokenizer", type=click.Path(path_type=Path), help="Count tokens the file lacks, with this tokenizer.")
@click.option("--append", is_flag=True, help="Put the samples behind those that the run holds.")
@click.option("--replace-unstorable", is_flag=True, help="Store U+FFFD for NUL and halves of surrogate pairs.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Of one format. Repeatable.")
@click.option("--dry-run", is_flag=True, help="Read and count everything, store nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def import_samples_command(
    file: Path,
    format_name: str,
    run_name: str | None,
    benchmark_label: str | None,
    model: str | None,
    stop_words: tuple[str, ...],
    humaneval_stop_words: bool,
    column_map: str | None,
    tokenizer: Path | None,
    append: bool,
    replace_unstorable: bool,
    options: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Store the samples of FILE (or a folder; .gz too) as a run. The same file again changes nothing."""
    from store.cli import ready

    words = tuple(word.replace("\\n", "\n") for word in stop_words)
    words += HUMANEVAL_STOP_WORDS if humaneval_stop_words else ()
    if "" in words:
        raise PassatkError("An empty --stop-word would cut everything; leave it out.")
    chosen = _options(options) | ({"map": column_map} if column_map else {})
    ready()
    source = SampleFile(file, format_name, words, tokenizer, chosen, append, replace_unstorable)
    imported = import_samples(source, run_name, benchmark_label, model, dry=dry_run)
    if as_json:
        click.echo(json.dumps(_values(imported, dry_run)))
        return
    _say(imported, dry_run)


def _options(options: tuple[str, ...]) -> dict[str, str]:
    pairs = [option.partition("=") for option in options]
    for name, separator, value in pairs:
        if not separator or not name:
            raise PassatkError(f'--option "{name}{value}" must be NAME=VALUE.')
    return {name: value for name, _, value in pairs}


def _values(imported: Imported, dry: bool) -> dict[str, object]:
    return {
        "run": imported.run_name,
        "benchmark": imported.benchmark.label,
        "benchmark_is_new": imported.benchmark_is_new,
        "format": imported.format_name,
        "dry_run": dry,
        "new_samples": imported.new_samples,
        "new_verdicts": imported.new_verdicts,
        "file": imported.report.values(),
    }


def _say(imported: Imported, dry: bool) -> None:
    told = imported.report.lines() if imported.report.records else []
    for line in told if dry else [line for line in told if line.startswith(("verdicts", "skipped"))]:
        click.echo(line)
    label = imported.benchmark.label
    if dry:
        made = f"benchmark {label} would be made of the file's problems" if imported.benchmark_is_new else ""
        click.echo(f"Nothing was stored: this was a dry run of format {imported.format_name}. {made}".rstrip())
        return
    if imported.benchmark_is_new:
        click.echo(f"Benchmark {label} is new, made of the {imported.benchmark.problem_count:,} problems of the file.")
    each = f"{imported.fewest:,}" if imported.fewest == imported.most else f"{imported.fewest:,} to {imported.most:,}"
    verdicts = f" and {imported.new_verdicts:,} verdicts" if imported.report.verdicts else ""
    click.echo(
        f"Run {imported.run_name}: {imported.new_samples:,} samples{verdicts} stored; it has {each} for each of "
        f"{imported.problems:,} problems. Judge them with `passatk verify --run {imported.run_name}`."
    )


@samples.command("export")
@click.option("--run", "run_name", required=True, help="Run whose samples are written.")
@click.option("--format", "format_name", type=click.Choice(EXPORT_FORMATS), required=True)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), required=True, help="File, or folder for some formats."
)
@click.option("--verifier", help="Whose verdicts: NAME or NAME@VERSION; default: the run's reference.")
@click.option("--where", help="Condition in SQL on the samples, as in \"outcome = 'correct'\".")
@click.option("--samples-per-request", type=click.IntRange(1, 1024), default=16, show_default=True)
def export_command(
    run_name: str, format_name: str, output: Path, verifier: str | None, where: str | None, samples_per_request: int
) -> None:
    """Write a run for another tool. swebench and openai-batch make a folder, the others a file."""
    from store.cli import ready

    ready()
    written = export_samples(run_name, format_name, output, verifier, where, samples_per_request)
    files = "" if written.files == 1 else f" in {written.files:,} files"
    click.echo(f"{written.records:,} records of run {run_name} written to {output}{files}.")
