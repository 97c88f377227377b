"""Two connections that see one state of the store, at work at the same time.

Postgres sends rows with one core while DuckDB reads them with another, but a run's rows are written when all have come,
and then Postgres rests. Two that are out of step keep both cores busy. Each is a thread of its own that runs a query
with one: threads that DuckDB shares a query's work among wait for each other at the cost of Postgres's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from store.analytics.source import Source

T = TypeVar("T")


@contextmanager
def beside(source: Source, work: Callable[[Source], T], worth_it: bool = True) -> Iterator[Future[T]]:
    """Have work done with another connection while the body uses the source's own; its result is there at the end.

    Where it is not worth another connection, or Postgres lets no other see the same state, it is done after the body.
    """
    other = source.sibling() if worth_it else None
    if other is None:
        later: Future[T] = Future()
        yield later
        later.set_result(work(source))
        return
    with ThreadPoolExecutor(1) as thread:
        begun = thread.submit(work, other)
        try:
            yield begun
            begun.result()
        except BaseException:  # an interrupt, too: nobody waits for the rest of the work then
            other.connection.interrupt()
            raise
