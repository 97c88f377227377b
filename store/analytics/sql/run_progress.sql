-- title: Progress of the runs
-- question: How fast are samples being judged, and has any run come to a standstill?
-- grain: one row per run
-- parameter run (texts, default none): names of runs; every run when not given
-- column run: run
-- column batches_left [batches]: units of work that are not done, failed for good, or cancelled
-- column failed_batches [batches]: units of work that failed for good
-- column judged_lately [samples]: verdicts of the reference verifier written in the 10 minutes up to the last one
-- column busy_seconds [s]: time from the first to the last of those writings, at least 1
-- column judged_per_second [samples/s]: judged_lately / busy_seconds; null without any
-- column batch_seconds [s]: median time between two writings of the run
-- column last_written_at: when samples or verdicts were last written
-- source: batches of the snapshot
WITH written AS (
    SELECT
        run_id,
        verifier_id,
        row_count,
        done_at,
        max(done_at) OVER (PARTITION BY run_id) AS last_written_at,
        extract(EPOCH FROM done_at - lag(done_at) OVER (PARTITION BY run_id ORDER BY done_at)) AS gap
    FROM analytics.batches
    WHERE done_at IS NOT NULL
),

paced AS (
    SELECT
        w.run_id,
        max(w.last_written_at) AS last_written_at,
        median(w.gap) AS batch_seconds,
        sum(
            CASE
                WHEN
                    w.verifier_id = r.reference_verifier_id
                    AND w.done_at > w.last_written_at - INTERVAL '10 minutes' THEN w.row_count
            END
        ) AS judged_lately,
        greatest(
            1,
            extract(EPOCH FROM max(w.last_written_at) - min(
                CASE
                    WHEN
                        w.verifier_id = r.reference_verifier_id
                        AND w.done_at > w.last_written_at - INTERVAL '10 minutes' THEN w.done_at
                END
            ))
        ) AS busy_seconds
    FROM written AS w
    INNER JOIN analytics.runs AS r ON w.run_id = r.run_id
    GROUP BY w.run_id
),

left_over AS (
    SELECT
        run_id,
        sum(CASE WHEN state NOT IN ('done', 'failed', 'cancelled') THEN 1 ELSE 0 END) AS batches_left,
        sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS failed_batches
    FROM analytics.batches
    GROUP BY run_id
)

SELECT
    r.run,
    CAST(coalesce(b.batches_left, 0) AS BIGINT) AS batches_left,
    CAST(coalesce(b.failed_batches, 0) AS BIGINT) AS failed_batches,
    CAST(coalesce(p.judged_lately, 0) AS BIGINT) AS judged_lately,
    CAST(p.busy_seconds AS DOUBLE PRECISION) AS busy_seconds,
    CAST(p.judged_lately / p.busy_seconds AS DOUBLE PRECISION) AS judged_per_second,
    CAST(p.batch_seconds AS DOUBLE PRECISION) AS batch_seconds,
    p.last_written_at
FROM analytics.runs AS r
LEFT JOIN paced AS p ON r.run_id = p.run_id
LEFT JOIN left_over AS b ON r.run_id = b.run_id
WHERE r.run_id = ANY($run_ids)
ORDER BY r.run_id
