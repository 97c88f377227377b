-- Take batches: each only when it is open, its run is too, and nobody holds a lease on it. Locked in the order of their
-- keys, as whatever else locks several does, so that two never wait for each other.
WITH free AS (
    SELECT b.batch_id, r.name
    FROM store.batches AS b
    INNER JOIN store.runs AS r ON b.run_id = r.run_id
    WHERE
        b.batch_id = ANY(%(batch_ids)s) AND r.state = 'open'
        AND (b.state = 'ready' OR (b.state = 'leased' AND b.lease_until < now()))
    ORDER BY b.batch_id
    FOR UPDATE OF b
)

UPDATE store.batches AS b
SET
    state = 'leased', leased_by = %(worker)s, leased_at = now(), tries = b.tries + 1, error = NULL,
    lease_until = now() + make_interval(secs => %(lease_seconds)s)
FROM free AS f
WHERE b.batch_id = f.batch_id
RETURNING b.batch_id, b.run_id, b.problem_id, b.verifier_id, b.attempt, b.first_index, b.end_index, b.tries, f.name
