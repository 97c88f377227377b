"""Several charts as one figure, each under its own title: how the figures of a paper are laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.rendering import still

#: Width and height of one chart of several, pixels.
WIDTH, HEIGHT = 400, 270


def facets(specs: Sequence[tuple[str, dict[str, Any]]], columns: int = 2) -> dict[str, Any]:
    """One spec of (title, spec) in rows of `columns`; a single one stays as it is."""
    if len(specs) == 1:
        return specs[0][1]
    parts = [_part(title, spec) for title, spec in specs]
    return {
        "description": " ".join(f"{title}: {spec.get('description', '')}" for title, spec in specs),
        "concat": parts,
        "columns": columns,
        "spacing": {"row": 42, "column": 36},
    }


def _part(title: str, spec: dict[str, Any]) -> dict[str, Any]:
    made = still(spec)  # one card under the pointer cannot serve charts with different curves
    for name in ("autosize", "padding", "description"):
        made.pop(name, None)
    for layer in made["layer"]:
        layer.pop("name", None)  # names must be its own in the whole figure
    return made | {"title": {"text": title, "offset": 10}, "width": WIDTH, "height": HEIGHT}
