"""Two connections that see one state of the store, each with half of the work.

Postgres sends rows with one core while DuckDB reads them with another, but a run's rows are written when all have come,
and then Postgres rests. Two that are out of step keep both cores busy. Each is a thread of its own that runs a query
with one: threads that DuckDB shares a query's work among wait for each other at the cost of Postgres's time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from store.analytics.segments import Segment
from store.analytics.source import Source


def side_by_side(
    source: Source, parts: Sequence[str], write: Callable[[Source, str, int], list[Segment]]
) -> list[Segment]:
    """The segments that `write` makes of each of one or two parts, given a source, the part and its number.

    Where Postgres does not let another connection see the same state, one after the other.
    """
    other = source.sibling() if len(parts) == 2 else None
    if other is None:
        return [segment for number, part in enumerate(parts) for segment in write(source, part, number)]
    with closing(other), ThreadPoolExecutor(1) as thread:
        beside = thread.submit(write, other, parts[1], 1)
        try:
            return [*write(source, parts[0], 0), *beside.result()]
        except BaseException:  # an interrupt, too: no one waits for the other half then
            other.connection.interrupt()
            raise
