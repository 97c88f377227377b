"""Sizes of models, as a reader writes them: `NAME=parameters,layers,width`, several parted by semicolons. No Streamlit.

No store knows them, and FLOPs need them (STATISTICS: 2 N per token and the attention of every layer).
"""

from __future__ import annotations

from dataclasses import dataclass

from store.errors import PassatkError

HELP = (
    "For each model its parameters, layers and the width of its residual stream: `llama3-8b=8.03e9,32,4096; other=...`"
)


class BadSize(PassatkError):
    """A model's size is not written as it has to be."""


@dataclass(frozen=True)
class Size:
    """Parameters, layers, and the width of the residual stream."""

    parameters: float
    layers: int
    width: int


def parsed(text: str) -> dict[str, Size]:
    """Sizes by model; raises BadSize naming the part that cannot be read."""
    sizes = {}
    for part in filter(None, (one.strip() for one in text.split(";"))):
        name, _, numbers = part.rpartition("=")
        try:
            parameters, layers, width = (float(one) for one in numbers.split(","))
        except ValueError:
            raise BadSize(f'"{part[:60]}" is not a size: write NAME=parameters,layers,width.') from None
        if not name.strip() or not (0 < parameters < 1e15 and 0 < layers < 1e5 and 0 < width < 1e7):
            raise BadSize(f'"{part[:60]}" is not a size: a name, and three numbers above 0.')
        sizes[name.strip()] = Size(parameters, int(layers), int(width))
    return sizes
