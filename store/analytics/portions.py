"""Work that is done in portions, so that each stays small."""

from collections.abc import Iterable, Iterator


def portions(sizes: Iterable[tuple[int, int]], most: int) -> Iterator[list[int]]:
    """Neighbours among (item, size) together, whose sizes sum to at most `most`; one that is larger is alone."""
    portion: list[int] = []
    filled = 0
    for item, size in sizes:
        if portion and filled + size > most:
            yield portion
            portion, filled = [], 0
        portion.append(item)
        filled += size
    if portion:
        yield portion
