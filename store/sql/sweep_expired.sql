-- Leases that ended without rows: back to ready, or failed after too many tries.
UPDATE store.batches AS b
SET
    state = CASE WHEN b.tries >= %(max_tries)s THEN 'failed' ELSE 'ready' END,
    error = 'its worker ' || coalesce(b.leased_by, '?') || ' stopped without finishing (try ' || b.tries || ')',
    leased_by = NULL, lease_until = NULL, enqueued_at = NULL
WHERE
    b.batch_id IN (
        SELECT e.batch_id
        FROM store.batches AS e
        WHERE e.state = 'leased' AND e.lease_until < now()
        FOR UPDATE SKIP LOCKED
    )
