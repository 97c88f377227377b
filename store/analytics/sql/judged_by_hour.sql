-- title: Samples judged by the hour
-- question: How many samples were judged in each hour?
-- grain: one row per hour in which anything was judged
-- parameter run (texts, default none): names of runs; every run when not given
-- column hour_start: start of the hour, UTC
-- column judged [samples]: verdicts of reference verifiers written in it
-- source: batches of the snapshot
SELECT
    date_trunc('hour', b.done_at) AS hour_start,
    CAST(sum(b.row_count) AS BIGINT) AS judged
FROM analytics.batches AS b
INNER JOIN analytics.runs AS r ON b.run_id = r.run_id AND b.verifier_id = r.reference_verifier_id
WHERE b.done_at IS NOT NULL AND r.run_id = ANY($run_ids)
GROUP BY 1
ORDER BY 1
