"""How deep the queues were: counted from batches every so often, kept for a day, read by the live pages."""

from __future__ import annotations

import sqlalchemy as sa

from store.connection import driver

#: Seconds between two measurements, however many sweepers look.
EVERY_SECONDS = 15
#: Measurements are kept for a day.
_KEPT = "1 day"

#: The queue of a batch `b` of a run with model `m`, as people read it.
QUEUE = "CASE WHEN b.verifier_id IS NULL THEN 'generate.' || m.name ELSE 'verify' END"

#: Batches `b` of open runs `r` that are not done, each with the model `m` of its run.
OPEN_WORK = """
    FROM store.batches AS b
    JOIN store.runs AS r ON r.run_id = b.run_id
    JOIN store.models AS m ON m.model_id = r.model_id
    WHERE b.state IN ('ready', 'leased') AND r.state = 'open'
"""

_DUE = f"""
    SELECT NOT EXISTS (
        SELECT 1 FROM store.queue_depths WHERE at > now() - interval '{EVERY_SECONDS} seconds'
    )
"""  # noqa: S608 - a constant

#: A queue that had work within the last hour and has none now is measured too: it is empty, not unknown.
_MEASURE = f"""
    INSERT INTO store.queue_depths (at, queue, waiting, in_work)
    SELECT now(), q.queue, sum(q.waiting), sum(q.in_work)
    FROM (
        SELECT {QUEUE} AS queue,
               count(*) FILTER (WHERE b.state = 'ready') AS waiting,
               count(*) FILTER (WHERE b.state = 'leased') AS in_work
        {OPEN_WORK}
        GROUP BY 1
        UNION ALL
        SELECT DISTINCT queue, 0, 0
        FROM store.queue_depths
        WHERE at > now() - interval '1 hour' AND waiting + in_work > 0
    ) AS q
    GROUP BY q.queue
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - a constant


def measure_queues(connection: sa.Connection) -> int:
    """Keep how many batches of open runs wait and are in work in each queue, unless that was done just now.

    Returns the queues that were measured. Whoever calls it is alone, as the sweeper is.
    """
    raw = driver(connection)
    (due,) = raw.execute(_DUE.encode()).fetchone() or (False,)
    return int(raw.execute(_MEASURE.encode()).rowcount) if due else 0


def forget_old_depths(connection: sa.Connection) -> int:
    """Remove measurements nobody reads any more; how many there were."""
    query = f"DELETE FROM store.queue_depths WHERE at < now() - interval '{_KEPT}'"  # noqa: S608 - a constant
    return int(driver(connection).execute(query.encode()).rowcount)
