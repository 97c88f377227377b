"""Colours as slots: charts name a slot, the theme in force gives it a colour, so that one spec serves both modes.

The theme's categorical colours hold seven hues for runs, then grey, then ink.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HUES = 7
GREY = 7
INK = 8
#: Dash patterns that tell curves of one hue apart; the first is solid.
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (6, 4), (2, 3), (9, 3, 2, 3))


def run_slots(drawn: Sequence[str], all_runs: Iterable[str]) -> dict[str, int]:
    """A hue for each drawn run: its own by its place among all runs, the next free one where two would share it."""
    place: Mapping[str, int] = {run: at for at, run in enumerate(all_runs)}
    slots: dict[str, int] = {}
    for run in sorted(drawn, key=lambda name: place.get(name, len(place))):
        free = [slot for slot in range(HUES) if slot not in slots.values()]
        own = place.get(run, 0) % HUES
        slots[run] = own if own in free else free[0] if free else GREY
    return slots


def color(field: str = "slot") -> dict[str, Any]:
    """Colour encoding by slot; every layer has the same domain, so that slots keep their colours."""
    return {"field": field, "type": "nominal", "scale": {"domain": list(range(INK + 1))}, "legend": None}


def dash(field: str = "dash") -> dict[str, Any]:
    """Dash encoding by the number of a pattern."""
    scale = {"domain": list(range(len(DASHES))), "range": [list(pattern) for pattern in DASHES]}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}
