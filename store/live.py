"""What is going on just now: workers, queues, runs under way, and the last hour's work. Counts come from batches.

Every batch knows how many rows it wrote, so none of these questions touches a sample or a verdict.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from store.connection import driver
from store.queue_history import OPEN_WORK, QUEUE
from store.worker_registry import list_workers

#: A run whose batches wait and that wrote nothing for so long, in seconds, is stalled.
STALLED_SECONDS = 300


def live_state(connection: sa.Connection) -> dict[str, Any]:
    """Everything the live pages show, as plain values that JSON knows; times are ISO 8601 in UTC, rates a second."""
    return {
        "at": datetime.now(UTC),
        "workers": [asdict(one) for one in list_workers(connection)],
        "queues": _rows(connection, _QUEUES),
        "runs": _rows(connection, _RUNS, stalled=STALLED_SECONDS),
        "minutes": _rows(connection, _MINUTES),
        "rates": _rows(connection, _RATES),
        "depths": _rows(connection, _DEPTHS),
        "latency": _rows(connection, _LATENCY),
        "stored": _rows(connection, _STORED)[0],
        "last_batch_id": _rows(connection, "SELECT coalesce(max(batch_id), 0) AS id FROM store.batches")[0]["id"],
    }


def _rows(connection: sa.Connection, query: str, **values: Any) -> list[dict[str, Any]]:
    # The queries are this module's own; every value is a bound parameter.
    cursor = driver(connection).execute(query.encode(), values or None)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


#: Rows in all, as the batches that wrote them counted; the same sums over a snapshot tell what it lacks.
_STORED = """
    SELECT coalesce(sum(row_count) FILTER (WHERE verifier_id IS NULL), 0)::bigint AS samples,
           coalesce(sum(row_count) FILTER (WHERE verifier_id IS NOT NULL), 0)::bigint AS verdicts,
           (SELECT min(version_num) FROM public.alembic_version) AS revision
    FROM store.batches
    WHERE state = 'done'
"""

_QUEUES = f"""
    SELECT {QUEUE} AS queue,
           count(*) FILTER (WHERE b.state = 'ready') AS ready,
           count(*) FILTER (WHERE b.state = 'leased') AS leased,
           extract(epoch FROM now() - min(b.created_at) FILTER (WHERE b.state = 'ready'))::double precision
               AS oldest_seconds
    {OPEN_WORK}
    GROUP BY 1
    ORDER BY 1
"""  # noqa: S608 - a constant

_RUNS = """
    SELECT r.run_id, r.name AS run, r.state, r.priority,
           r.samples_per_problem::bigint * k.problem_count AS wanted,
           coalesce(sum(b.row_count) FILTER (WHERE b.verifier_id IS NULL), 0)::bigint AS samples,
           coalesce(sum(b.row_count) FILTER (WHERE b.verifier_id = r.reference_verifier_id), 0)::bigint AS judged,
           count(*) FILTER (WHERE b.state IN ('ready', 'leased')) AS open_batches,
           count(*) FILTER (WHERE b.state = 'failed') AS failed_batches,
           coalesce(sum(b.row_count) FILTER (
               WHERE b.verifier_id IS NULL AND b.done_at > now() - interval '1 minute'), 0) / 60.0::double precision
               AS samples_per_second,
           coalesce(sum(b.row_count) FILTER (
               WHERE b.verifier_id IS NOT NULL AND b.done_at > now() - interval '1 minute'), 0) / 60.0::double precision
               AS verdicts_per_second,
           max(b.done_at) AS last_written_at,
           r.state = 'open' AND count(*) FILTER (WHERE b.state IN ('ready', 'leased')) > 0
               AND coalesce(max(b.done_at), min(b.created_at)) < now() - make_interval(secs => %(stalled)s) AS stalled,
           max(b.error) FILTER (WHERE b.state = 'failed') AS error
    FROM store.runs AS r
    JOIN store.benchmarks AS k ON k.benchmark_id = r.benchmark_id
    JOIN store.batches AS b ON b.run_id = r.run_id AND b.state <> 'cancelled'
    GROUP BY r.run_id, k.problem_count
    HAVING count(*) FILTER (WHERE b.state IN ('ready', 'leased', 'failed')) > 0
        OR max(b.done_at) > now() - interval '1 hour'
    ORDER BY r.run_id DESC
"""

#: Minutes without a report are rows without numbers: a gap is drawn as a gap.
_MINUTES = """
    SELECT m.minute, sum(w.samples) AS samples, sum(w.tokens)::bigint AS tokens, sum(w.verdicts) AS verdicts,
           sum(w.failures) AS failures
    FROM generate_series(
        date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()), interval '1 minute'
    ) AS m (minute)
    LEFT JOIN store.worker_reports AS w ON w.at >= m.minute AND w.at < m.minute + interval '1 minute'
    GROUP BY m.minute
    ORDER BY m.minute
"""

#: What each worker wrote a second, by the minute since it started; null in a minute without a report.
_RATES = """
    SELECT w.name AS worker,
           array_agg(t.written / nullif(t.seconds, 0) ORDER BY m.minute) AS per_second
    FROM store.workers AS w
    CROSS JOIN generate_series(
        date_trunc('minute', now()) - interval '29 minutes', date_trunc('minute', now()), interval '1 minute'
    ) AS m (minute)
    LEFT JOIN (
        SELECT worker_id, date_trunc('minute', at) AS minute,
               sum(samples + verdicts) AS written, sum(seconds) AS seconds
        FROM store.worker_reports
        WHERE at >= date_trunc('minute', now()) - interval '29 minutes'
        GROUP BY 1, 2
    ) AS t ON t.worker_id = w.worker_id AND t.minute = m.minute
    WHERE w.seen_at > now() - interval '1 hour' AND m.minute >= date_trunc('minute', w.started_at)
    GROUP BY w.worker_id, w.name
    ORDER BY w.worker_id DESC
"""

#: The most batches that waited in a minute; null where nobody counted, as while no worker runs.
_DEPTHS = """
    WITH kept AS (
        SELECT date_trunc('minute', at) AS minute, queue, max(waiting) AS waiting, max(in_work) AS in_work
        FROM store.queue_depths
        WHERE at >= date_trunc('minute', now()) - interval '59 minutes'
        GROUP BY 1, 2
    )

    SELECT m.minute, n.queue,
           CASE WHEN c.minute IS NOT NULL THEN coalesce(k.waiting, 0) END AS waiting,
           CASE WHEN c.minute IS NOT NULL THEN coalesce(k.in_work, 0) END AS in_work
    FROM generate_series(
        date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()), interval '1 minute'
    ) AS m (minute)
    CROSS JOIN (SELECT DISTINCT queue FROM kept) AS n
    LEFT JOIN (SELECT DISTINCT minute FROM kept) AS c ON c.minute = m.minute
    LEFT JOIN kept AS k ON k.minute = m.minute AND k.queue = n.queue
    ORDER BY n.queue, m.minute
"""

#: From planning a judging batch to its verdicts, for batches done in the last hour.
_LATENCY = """
    SELECT date_trunc('minute', done_at) AS minute,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM done_at - created_at)) AS p50,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM done_at - created_at)) AS p95
    FROM store.batches
    WHERE verifier_id IS NOT NULL AND state = 'done' AND done_at > now() - interval '1 hour'
    GROUP BY 1
    ORDER BY 1
"""
