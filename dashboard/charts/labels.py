"""Labels beside their curves, moved apart where they would cover each other."""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near as possible to the wanted ones, at least `gap` apart, inside [low, high], in the same order.

    Neighbours that collide become one block around their mean (pool adjacent violators), which is the least-squares
    answer. Where the range is too short for all, the gap shrinks.
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    blocks: list[tuple[float, int]] = []  # (mean of wanted minus own offset, members)
    for place, index in enumerate(order):
        mean, size = wanted[index] - place * gap, 1
        while blocks and blocks[-1][0] > mean:
            before, members = blocks.pop()
            mean, size = (before * members + mean * size) / (members + size), members + size
        blocks.append((mean, size))
    starts = [mean for mean, size in blocks for _ in range(size)]
    top = high - (len(wanted) - 1) * gap
    placed = [0.0] * len(wanted)
    for place, index in enumerate(order):
        placed[index] = min(max(starts[place], low), top) + place * gap
    return placed
