"""What one sample of a run takes in tokens, US$ or FLOPs, so that curves can be drawn against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from dashboard.answers import Asker, takes
from dashboard.charts.quantities import FLOPS, SAMPLES, TOKENS, Quantity
from dashboard.figures.drawn import Drawn
from dashboard.figures.model_sizes import Size
from store.errors import PassatkError

NO_SIZES: Mapping[str, Size] = MappingProxyType({})


@dataclass(frozen=True)
class Paying:
    """What a sample is charged with: its request's prompt shared or whole, and what judging it took or not.

    The fields are parameters of the queries about money.
    """

    prompt_per: str = "request"
    verifier_priced: str = "no"

    def parameters(self, query: str) -> dict[str, Any]:
        """Of these, what the query can be told."""
        said = {"prompt_per": self.prompt_per, "verifier_priced": self.verifier_priced}
        return {name: value for name, value in said.items() if takes(query, name)}

    @property
    def words(self) -> str:
        """What is in force, as sentences of a caption."""
        shared = self.prompt_per == "request"
        prompt = "A prompt counts once a request" if shared else "The whole prompt counts for every sample"
        return f"{prompt}. {'Verifying is priced' if self.verifier_priced == 'yes' else 'Verifying is not priced'}."


USUAL = Paying()


@dataclass(frozen=True)
class Spending:
    """Amounts a sample of each run takes; runs without one are named with the reason, never drawn as free."""

    per_sample: dict[str, float]
    unknown: tuple[str, ...]


def spending(
    asker: Asker,
    runs: Sequence[str],
    quantity: Quantity,
    sizes: Mapping[str, Size] = NO_SIZES,
    paying: Paying = USUAL,
    verifier: str | None = None,
) -> Spending:
    """The amount one sample of each run takes; `sizes` by model are needed for FLOPs.

    Dollars are those of the samples that `verifier` judged (default: each run's reference).
    """
    if quantity is SAMPLES:
        return Spending(dict.fromkeys(runs, 1.0), ())
    known, unknown = {}, []
    for run in runs:
        if quantity is FLOPS:
            amount, reason = _flops(asker, run, sizes, paying)
        else:
            amount, reason = _amount(asker, run, quantity, paying, verifier)
        if amount:
            known[run] = amount
        else:
            unknown.append(f"{run} is not drawn against {quantity.label}: {reason}")
    return Spending(known, tuple(unknown))


def _amount(
    asker: Asker, run: str, quantity: Quantity, paying: Paying, verifier: str | None
) -> tuple[float | None, str]:
    try:
        if quantity is TOKENS:
            rows = asker.ask("token_use", run=[run], **paying.parameters("token_use")).records
            return (rows[0]["tokens"] if rows else None), "the token counts of some of its samples are not known."
        answer = asker.ask("cost", run=run, k=[1], verifier=verifier, **paying.parameters("cost"))
    except PassatkError as error:
        return None, str(error)
    found = answer.records[0]["usd_per_problem"] if answer.records else None
    return found, "its cost is zero or unknown."


def _flops(asker: Asker, run: str, sizes: Mapping[str, Size], paying: Paying) -> tuple[float | None, str]:
    """Operations of one sample by the query `flops`."""
    model = next(row["model"] for row in asker.ask("run_summary").records if row["run"] == run)
    size = sizes.get(model)
    if size is None:
        return None, f"the size of {model} is not known. Write it under Model sizes."
    shape = {"parameters": size.parameters, "layers": size.layers, "width": size.width}
    try:
        rows = asker.ask("flops", run=run, k=[1], **shape, **paying.parameters("flops")).records
    except PassatkError as error:
        return None, str(error)
    return (rows[0]["flops"] if rows else None), "the token counts of some of its samples are not known."


def against(
    asker: Asker, drawn: Sequence[Drawn], quantity: Quantity, sizes: Mapping[str, Size] = NO_SIZES
) -> tuple[list[Drawn], tuple[str, ...]]:
    """The same curves against a quantity, and a sentence for each run whose amount is unknown."""
    found = spending(asker, list(dict.fromkeys(one.wanted.name for one in drawn)), quantity, sizes)
    moved = [
        replace(one, curve=one.curve.along(found.per_sample[one.wanted.name]))
        for one in drawn
        if one.wanted.name in found.per_sample
    ]
    return moved, found.unknown
