"""The figure of cost: what k samples take against what they solve, at stored prices or at prices tried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.answers import Asker, Row
from dashboard.charts.cost import Reference, cost_spec
from dashboard.charts.curves import Curve
from dashboard.charts.quantities import DOLLARS, TOTAL, Quantity
from dashboard.figures.drawn import STANDARD, Counting, Wanted, coverage_curves
from dashboard.figures.figure import Figure
from dashboard.figures.model_sizes import Size
from dashboard.figures.spending import NO_SIZES, USUAL, Paying, spending
from store.errors import PassatkError


@dataclass(frozen=True)
class Price:
    """A price tried out, US$ per million tokens; it is not stored."""

    prompt: float
    completion: float


@dataclass(frozen=True)
class Costed:
    """One run: its curve against what is spent, and the rows behind it."""

    wanted: Wanted
    curve: Curve
    rows: tuple[Row, ...]
    sql: str
    notes: tuple[str, ...]
    tried: bool
    paying: Paying = USUAL


def costed(
    asker: Asker,
    wanted: Sequence[Wanted],
    quantity: Quantity = DOLLARS,
    counting: Counting = STANDARD,
    tried: Mapping[str, Price] = {},
    sizes: Mapping[str, Size] = NO_SIZES,
    paying: Paying = USUAL,
) -> tuple[list[Costed], list[str]]:
    """Each run against what its samples take, and why a run is not drawn. `tried` maps models to prices.

    Only money pays for verifying: tokens and operations are those of the samples.
    """
    money = quantity.key in (DOLLARS.key, TOTAL.key)
    paying = paying if money else replace(paying, verifier_priced="no")
    drawn, refused = coverage_curves(asker, wanted, Counting(quarantined=counting.quarantined))
    made = []
    for one in drawn:
        price = tried.get(one.wanted.run["model"]) if money else None
        per_sample, why = _per_sample(asker, one.wanted, quantity, price, sizes, paying)
        if per_sample is None:
            refused.append(why)
            continue
        problems = one.rows[0]["problems"]
        curve = one.curve.along(per_sample * (problems if quantity is TOTAL else 1))
        rows, sql, notes = _rows(asker, one.wanted, one.rows, per_sample, price, counting, paying)
        told = (*one.notes, *notes)
        made.append(Costed(one.wanted, curve, rows, sql or one.sql, told, price is not None, paying))
    return made, refused


def _per_sample(
    asker: Asker,
    wanted: Wanted,
    quantity: Quantity,
    price: Price | None,
    sizes: Mapping[str, Size],
    paying: Paying,
) -> tuple[float | None, str]:
    if price is not None:
        return _at_price(asker, wanted, price, paying)
    asked = DOLLARS if quantity is TOTAL else quantity
    found = spending(asker, [wanted.name], asked, sizes, paying, wanted.verifier)
    return found.per_sample.get(wanted.name), " ".join(found.unknown)


def _at_price(asker: Asker, wanted: Wanted, price: Price, paying: Paying) -> tuple[float | None, str]:
    """Dollars of one sample at a price tried out; what judging took stays at the stored price of who judged."""
    run = wanted.name
    tokens = asker.ask("token_use", run=[run], **paying.parameters("token_use")).records
    if not tokens or tokens[0]["tokens"] is None:
        return None, f"{run} is not drawn: the token counts of some of its samples are not known."
    spent = (tokens[0]["prompt_tokens"] * price.prompt + tokens[0]["completion_tokens"] * price.completion) / 1e6
    if paying.verifier_priced == "yes":
        try:
            told = paying.parameters("cost")
            spent += asker.ask("cost", run=run, k=[1], verifier=wanted.verifier, **told).records[0]["usd_verification"]
        except PassatkError as error:
            return None, f"{run} is not drawn with its verifier priced: {error}"
    return (spent, "") if spent > 0 else (None, f"{run} is not drawn: at these prices it costs nothing.")


def _rows(
    asker: Asker,
    wanted: Wanted,
    shares: Sequence[Row],
    per_sample: float,
    price: Price | None,
    counting: Counting,
    paying: Paying,
) -> tuple[tuple[Row, ...], str, tuple[str, ...]]:
    """Rows of the cost query; where it has no stored price to answer with, what follows from the curve alone."""
    if price is None:
        try:
            ks = [row["k"] for row in shares]
            told = counting.parameters("cost") | paying.parameters("cost")
            answer = asker.ask("cost", run=wanted.name, verifier=wanted.verifier, k=ks, **told)
            return tuple(row for row in answer.records if row["coverage"] is not None), answer.sql, answer.notes
        except PassatkError:
            pass  # against tokens a run needs no price
    return tuple(_reckoned(row, per_sample, price is not None) for row in shares), "", ()


def _reckoned(row: Row, per_sample: float, priced: bool) -> Row:
    spent = row["k"] * per_sample if priced else None
    return {
        "run": row["run"],
        "verifier": row["verifier"],
        "k": row["k"],
        "usd_per_problem": spent,
        "usd_total": spent * row["problems"] if spent is not None else None,
        "usd_per_solved": spent / row["coverage"] if spent is not None and row["coverage"] else None,
        "low": None,
        "high": None,
        "usd_until_solved": None,
        "expected_attempts": None,
        "coverage": row["coverage"],
        "prompt_tokens": None,
        "completion_tokens": None,
        "usd_verification": None,
        "price_from": "tried out" if priced else None,
        "problems": row["problems"],
    }


def cost_figure(
    made: Sequence[Costed],
    quantity: Quantity = DOLLARS,
    marker: int | None = None,
    unit: str = "problem",
    reference: Reference | None = None,
) -> Figure:
    """The chart over runs that have been costed."""
    tried = any(one.tried for one in made)
    caption = (
        f"What k samples of one problem take, against the share of {unit}s they solve; dots at k = 1, 10, 100 and so "
        f"on. {made[0].paying.words if made else USUAL.words} Band: 95 % interval over problems."
    )
    if len(made) > 1:
        caption += " Thick step: the cheapest way to each share; what another run beats is faint."
    if tried:
        caption += " Prices tried out, not stored."
    spec = cost_spec([one.curve for one in made], marker, quantity, unit, reference)
    sql = "\n\n".join(dict.fromkeys(one.sql for one in made))
    notes = tuple(dict.fromkeys(note for one in made for note in one.notes))
    return Figure("cost", "Cost", spec, caption, [row for one in made for row in one.rows], sql, notes)


def unit_of(benchmark: str) -> str:
    """What a problem is called: an issue in benchmarks of the SWE kind."""
    return "issue" if "swe" in benchmark.lower() else "problem"


@dataclass(frozen=True)
class Way:
    """The fewest samples with which a run reaches a share; `row` is where it ends when it never does."""

    run: str
    slot: int
    row: Row
    spent: float | None
    reached: bool


def ways(asker: Asker, made: Sequence[Costed], target: float, quantity: Quantity) -> list[Way]:
    """For each run the smallest k that reaches the share, the cheapest first, then those that never do."""
    found = []
    for one in made:
        row = next((row for row in one.rows if row["coverage"] >= target), None)
        exact = _exact(asker, one, target) if row else None
        row = (row | exact) if row and exact else row
        last = row or one.rows[-1]
        per_sample = one.curve.points[0].x / one.curve.points[0].k
        found.append(Way(one.curve.label, one.curve.slot, last, last["k"] * per_sample, row is not None))
    return sorted(found, key=lambda way: (not way.reached, way.spent or 0.0))


def _exact(asker: Asker, one: Costed, target: float) -> Row | None:
    """The fewest samples by bisection; the curve has only the k of its lattice."""
    if one.tried:
        return None
    try:
        told = one.paying.parameters("cost_to_target")
        answer = asker.ask("cost_to_target", run=one.wanted.name, verifier=one.wanted.verifier, target=target, **told)
    except PassatkError:
        return None
    (row,) = answer.records
    keep = ("k", "coverage", "usd_per_problem", "usd_total", "usd_per_solved")
    return {name: row[name] for name in keep} if row["reached"] else None
