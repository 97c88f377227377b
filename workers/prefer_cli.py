"""`passatk prefer`: pairs of a run's samples, judged by a language model."""

from __future__ import annotations

from collections import Counter

import click

from store.cli import ready
from store.connection import transaction
from store.runs import find_run
from workers.options import named_values


@click.command()
@click.option("--run", "name", required=True, help="Run whose stored samples are compared.")
@click.option("--judge", "model", required=True, help="Model that judges, as its endpoint calls it.")
@click.option("--pairs", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Pairs for each problem.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="base_url=..., rubric=... Repeatable.")
def prefer(name: str, model: str, pairs: int, options: tuple[str, ...]) -> None:
    """Ask a model which of two samples is better, with each pair shown in both orders.

    The key comes from PASSATK_OPENAI_API_KEY. Pairs are the same every time: asked again, only what is new is judged.
    """
    ready()
    from workers.preferring import prefer as judge_pairs
    from workers.verifiers import open_verifier
    from workers.verifiers.model_judge import ModelJudge

    with transaction() as connection:
        run = find_run(connection, name)
    values = {"model": model, **named_values(options, "Judge's option")}
    judge = open_verifier("judge", values)
    assert isinstance(judge, ModelJudge), "the verifier of that name"
    totals: Counter[str] = Counter()
    try:
        for number, totals in enumerate(judge_pairs(run, judge, values, pairs), start=1):
            click.echo(f"problem {number:,}: {totals['pairs']:,} pairs", err=True)
    finally:
        judge.close()
    if not totals:
        click.echo(f"Run {name}: every pair is judged already, or no problem has two different completions.")
        return
    decided = totals["first"] + totals["second"]
    click.echo(
        f"Run {name}: {totals['pairs']:,} pairs, {decided:,} with a winner in both orders, {totals['tie']:,} ties "
        f"({totals['swayed']:,} of them because the order swayed the judge), {totals['undecided']:,} undecided."
    )
