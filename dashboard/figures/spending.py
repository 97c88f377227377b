"""What one sample of a run takes in tokens, US$ or FLOPs, so that curves can be drawn against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dashboard.answers import Asker
from dashboard.charts.quantities import DOLLARS, FLOPS, SAMPLES, TOKENS, Quantity
from dashboard.figures.drawn import Drawn
from store.errors import PassatkError


@dataclass(frozen=True)
class Spending:
    """Amounts a sample of each run takes; runs without one are named with the reason, never drawn as free."""

    per_sample: dict[str, float]
    unknown: tuple[str, ...]


def spending(asker: Asker, runs: Sequence[str], quantity: Quantity) -> Spending:
    """The amount one sample of each run takes."""
    if quantity is SAMPLES:
        return Spending(dict.fromkeys(runs, 1.0), ())
    known, unknown = {}, []
    for run in runs:
        amount, reason = _amount(asker, run, quantity)
        if amount:
            known[run] = amount
        else:
            unknown.append(f"{run} is not drawn against {quantity.label}: {reason}")
    return Spending(known, tuple(unknown))


def _amount(asker: Asker, run: str, quantity: Quantity) -> tuple[float | None, str]:
    try:
        if quantity is TOKENS:
            rows = asker.ask("token_use", run=[run]).records
            return (rows[0]["tokens"] if rows else None), "the token counts of some of its samples are not known."
        answer = asker.ask("cost", run=run, k=[1])
    except PassatkError as error:
        return None, str(error)
    if quantity is FLOPS and "flops_per_problem" not in answer.columns:
        return None, "the size of its model is not known."
    column = {DOLLARS.key: "usd_per_problem", FLOPS.key: "flops_per_problem"}[quantity.key]
    found = answer.records[0][column] if answer.records else None
    return found, "the size of its model is not known." if quantity is FLOPS else "its cost is zero or unknown."


def against(asker: Asker, drawn: Sequence[Drawn], quantity: Quantity) -> tuple[list[Drawn], tuple[str, ...]]:
    """The same curves against a quantity, and a sentence for each run whose amount is unknown."""
    found = spending(asker, list(dict.fromkeys(one.wanted.name for one in drawn)), quantity)
    moved = [
        replace(one, curve=one.curve.along(found.per_sample[one.wanted.name]))
        for one in drawn
        if one.wanted.name in found.per_sample
    ]
    return moved, found.unknown
