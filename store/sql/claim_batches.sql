-- Take batches: each only when it is open, its run is too, and nobody holds a lease on it.
UPDATE store.batches AS b
SET
    state = 'leased', leased_by = %(worker)s, leased_at = now(), tries = b.tries + 1, error = NULL,
    lease_until = now() + make_interval(secs => %(lease_seconds)s)
FROM store.runs AS r
WHERE
    b.batch_id = ANY(%(batch_ids)s) AND r.run_id = b.run_id AND r.state = 'open'
    AND (b.state = 'ready' OR (b.state = 'leased' AND b.lease_until < now()))
RETURNING
    b.batch_id, b.run_id, b.problem_id, b.verifier_id, b.attempt, b.first_index, b.end_index, b.tries, r.name
