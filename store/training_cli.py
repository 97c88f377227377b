"""`passatk training`: data to train on, from stored samples and verdicts."""

from __future__ import annotations

from pathlib import Path

import click

from store.training_export import export_training
from store.training_recipes import RECIPES, Limits


@click.group()
def training() -> None:
    """Training data from stored samples."""


@training.command()
@click.option("--recipe", type=click.Choice(sorted(RECIPES)), required=True)
@click.option("--run", "run_names", multiple=True, required=True, help="Run whose samples are taken. Repeatable.")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="A .jsonl or .parquet file.")
@click.option("--messages", "conversational", is_flag=True, help="Turns of a chat instead of plain texts.")
@click.option("--verifier", help="Whose verdicts count: NAME or NAME@VERSION; default: each run's reference.")
@click.option("--where", help="Condition in SQL, as in \"score > 0.5 AND problem LIKE 'gsm8k/%'\".")
@click.option("--per-problem", type=click.IntRange(1), help="Most rows of one problem, drawn with --seed.")
@click.option("--min-tokens", type=click.IntRange(0), help="Fewest completion tokens.")
@click.option("--max-tokens", type=click.IntRange(1), help="Most completion tokens.")
@click.option("--max-characters", type=click.IntRange(1), help="Longest completion, in characters.")
@click.option("--cut-too", is_flag=True, help="Take completions too that ended at the token limit.")
@click.option("--seed", type=int, default=0, show_default=True)
def export(
    recipe: str,
    run_names: tuple[str, ...],
    output: Path,
    conversational: bool,
    verifier: str | None,
    where: str | None,
    per_problem: int | None,
    min_tokens: int | None,
    max_tokens: int | None,
    max_characters: int | None,
    cut_too: bool,
    seed: int,
) -> None:
    """Write the rows of a recipe in the layouts that TRL reads; every row names the samples it is made of."""
    from store.cli import ready

    ready()
    limits = Limits(per_problem, min_tokens, max_tokens, max_characters, not cut_too, seed)
    rows = export_training(
        recipe, run_names, output, limits, conversational=conversational, verifier=verifier, where=where
    )
    click.echo(f"{rows:,} rows of recipe {recipe} written to {output}.")
