"""What curves are drawn against: samples, tokens, US$ or floating-point operations, all per problem."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from dashboard.wording import dollars, short_number


@dataclass(frozen=True)
class Quantity:
    """One unit of spending: its name in links, its axis, and how an amount is written."""

    key: str
    label: str
    title: str
    axis_format: str
    text: Callable[[float], str]


SAMPLES = Quantity("samples", "Samples", "Samples per problem, k (log scale)", "~s", lambda k: f"{k:,.0f}")
TOKENS = Quantity("tokens", "Tokens", "Tokens per problem (log scale)", "~s", short_number)
DOLLARS = Quantity("usd", "US$", "US$ per problem (log scale)", "$~r", dollars)
FLOPS = Quantity("flops", "FLOPs", "FLOPs per problem (log scale)", ".0e", lambda value: f"{value:.2e}")
TOTAL = Quantity("total", "Total US$", "US$ for all problems (log scale)", "$~r", dollars)
QUANTITIES = {one.key: one for one in (SAMPLES, TOKENS, DOLLARS, FLOPS)}


def decades(largest: float, smallest: float = 1) -> list[float]:
    """Powers of ten from `smallest` to `largest`."""
    first, last = math.ceil(math.log10(smallest) - 1e-9), math.floor(math.log10(largest) + 1e-9)
    return [float(10**power) for power in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: decades; halves and fifths where there is less than a decade to show."""
    ticks = decades(high, low)
    if len(ticks) >= 2:
        return ticks
    power = 10.0 ** math.floor(math.log10(low))
    return [power * step for step in (1, 2, 5, 10, 20, 50) if low <= power * step <= high]
