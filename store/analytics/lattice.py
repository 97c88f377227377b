"""The budgets k that curves are drawn at: one shared lattice, so that runs can be read at the same k."""

from __future__ import annotations

PER_DECADE = 12


def k_lattice(largest: int) -> list[int]:
    """12 budgets a decade, decades exact, from 1 to `largest` and ending with it; empty for less than 1."""
    if largest < 1:
        return []
    steps: set[int] = {largest}
    step = 0
    while (k := round(10 ** (step / PER_DECADE))) < largest:
        steps.add(k)
        step += 1
    return sorted(steps)
