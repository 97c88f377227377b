"""Worker processes: each says that it started, what it did lately, and that it stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.connection import driver
from store.tables import worker_reports, workers

#: A worker that was silent for so long, in seconds, is taken for dead; it reports every few.
SILENT_SECONDS = 30
#: Reports are kept for a day.
_KEPT = "1 day"


@dataclass(frozen=True)
class Report:
    """What a worker did in an interval of `seconds`, and what it held at its end. None is unknown."""

    seconds: float
    samples: int
    tokens: int
    verdicts: int
    failures: int
    running: int | None = None
    waiting: int | None = None
    kv_cache_share: float | None = None
    memory_bytes: int | None = None
    batch_id: int | None = None


@dataclass(frozen=True)
class WorkerState:
    """A worker as the store last saw it; the rates are of the last minute, a second."""

    name: str
    host: str
    device: str | None
    queues: str
    version: str
    state: str
    started_at: datetime
    seen_at: datetime
    samples_per_second: float
    verdicts_per_second: float
    failures: int
    batch_id: int | None
    error: str | None
    #: Resident, its processes included; None where it has not said so within the last minute.
    memory_bytes: int | None = None


def register_worker(
    connection: sa.Connection, name: str, host: str, queues: str, version: str, device: str | None = None
) -> int:
    """Write the row of a worker that starts; the same name again is the same worker. Returns its key."""
    now = sa.func.now()
    statement = insert(workers).values(
        name=name, host=host, device=device, queues=queues, version=version, started_at=now, seen_at=now
    )
    again = {"device": sa.func.coalesce(device, workers.c.device), "queues": queues, "seen_at": now}
    statement = statement.on_conflict_do_update(index_elements=["name"], set_=again)
    return int(connection.execute(statement.returning(workers.c.worker_id)).scalar_one())


def write_report(connection: sa.Connection, worker_id: int, report: Report) -> None:
    """Keep a report, which is a sign of life."""
    values = {name: getattr(report, name) for name in Report.__dataclass_fields__}
    at = sa.func.clock_timestamp()
    connection.execute(insert(worker_reports).values(worker_id=worker_id, at=at, **values))
    connection.execute(sa.update(workers).where(workers.c.worker_id == worker_id).values(seen_at=at))


def worker_stopped(connection: sa.Connection, worker_id: int) -> None:
    """Remember that a worker stopped in order."""
    now = sa.func.clock_timestamp()
    connection.execute(sa.update(workers).where(workers.c.worker_id == worker_id).values(stopped_at=now, seen_at=now))


def forget_old_reports(connection: sa.Connection) -> int:
    """Remove reports nobody reads any more; how many there were."""
    query = f"DELETE FROM store.worker_reports WHERE at < now() - interval '{_KEPT}'"  # noqa: S608 - a constant
    return int(driver(connection).execute(query.encode()).rowcount)


def list_workers(connection: sa.Connection, all_of_them: bool = False) -> list[WorkerState]:
    """Workers that run or were seen in the last hour, newest first; or all that ever ran."""
    query = b"""
        SELECT w.name, w.host, w.device, w.queues, w.version,
               CASE WHEN w.stopped_at IS NOT NULL THEN 'stopped'
                    WHEN w.seen_at < now() - make_interval(secs => %(silent)s) THEN 'silent'
                    ELSE 'running' END,
               w.started_at, w.seen_at, coalesce(r.samples, 0), coalesce(r.verdicts, 0), coalesce(r.failures, 0),
               CASE WHEN w.stopped_at IS NULL THEN r.batch_id END, w.error,
               CASE WHEN w.stopped_at IS NULL THEN r.memory_bytes END
        FROM store.workers AS w
        LEFT JOIN LATERAL (
            SELECT sum(t.samples) / nullif(sum(t.seconds), 0) AS samples,
                   sum(t.verdicts) / nullif(sum(t.seconds), 0) AS verdicts,
                   sum(t.failures) AS failures,
                   (array_agg(t.batch_id ORDER BY t.at DESC))[1] AS batch_id,
                   (array_agg(t.memory_bytes ORDER BY t.at DESC))[1] AS memory_bytes
            FROM store.worker_reports AS t
            WHERE t.worker_id = w.worker_id AND t.at > now() - interval '1 minute'
        ) AS r ON true
        WHERE %(all)s OR w.seen_at > now() - interval '1 hour'
        ORDER BY w.worker_id DESC
    """
    rows = driver(connection).execute(query, {"silent": SILENT_SECONDS, "all": all_of_them})
    return [WorkerState(*row) for row in rows]
