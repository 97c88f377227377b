"""Runs that are planned a step at a time go on by themselves: after each judged batch, and when the sweeper finds one
that waits for nobody."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from store.batches import Batch
from store.connection import transaction
from store.errors import PassatkError
from store.runs import run_by_id
from store.stepping import idle_runs, plan_after, plan_step
from workers.errors import BrokerUnreachable
from workers.planning import DRAW_SIZE

_LOG = logging.getLogger(__name__)

#: A run that has had enough is looked at again after so many seconds, at first and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 600.0


def steps_after(connection: sa.Connection, batch: Batch) -> list[int]:
    """Draw batches that a judged batch calls for, in its transaction; what goes wrong here costs no verdict."""
    try:
        with connection.begin_nested():
            return plan_after(connection, batch, DRAW_SIZE)
    except PassatkError as error:
        _LOG.warning("Run %d is not planned further: %s", batch.run_id, error)
    return []


def send(batch_ids: Sequence[int]) -> None:
    """Send batches that were planned in a transaction which is committed by now."""
    if not batch_ids:
        return
    from workers.enqueue import enqueue  # what judges without a queue needs none

    try:
        enqueue(batch_ids)
    except BrokerUnreachable:
        _LOG.warning("The broker does not answer; the sweeper sends %d batches later.", len(batch_ids))


@dataclass
class IdleRuns:
    """Plans idle runs; one that has had enough is asked less and less often."""

    _pauses: dict[int, tuple[float, float]] = field(default_factory=dict)

    def plan(self) -> list[int]:
        """The draw batches that idle runs lack; they are to be sent."""
        with transaction() as connection:
            idle = idle_runs(connection)
        planned: list[int] = []
        for run_id in idle:
            if time.monotonic() >= self._pauses.get(run_id, (0.0, 0.0))[0]:
                planned += self._plan(run_id)
        return planned

    def _plan(self, run_id: int) -> list[int]:
        found: list[int] = []
        try:
            with transaction() as connection:
                found = plan_step(connection, run_by_id(connection, run_id), DRAW_SIZE)
        except PassatkError as error:
            if error.retryable:
                raise
            _LOG.warning("Run %d is not planned further: %s", run_id, error)
        if found:
            self._pauses.pop(run_id, None)
        else:
            pause = min(_LONGEST_PAUSE, 2 * self._pauses.get(run_id, (0.0, _FIRST_PAUSE / 2))[1])
            self._pauses[run_id] = (time.monotonic() + pause, pause)
        return found
