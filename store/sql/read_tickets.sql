-- What the tickets of one message are good for: whether they draw, which of their own batches can be taken, and the
-- runs of the same queue with batches that wait: those that go first, and those that may use what is left over.
WITH tickets AS (
    SELECT
        b.batch_id, r.model_id, r.priority, b.verifier_id IS NULL AS draws,
        r.state = 'open' AND (b.state = 'ready' OR (b.state = 'leased' AND b.lease_until < now())) AS free
    FROM store.batches AS b
    INNER JOIN store.runs AS r ON b.run_id = r.run_id
    WHERE b.batch_id = ANY(%(batch_ids)s)
),

queue AS (
    SELECT
        min(model_id) AS model_id, min(priority) AS priority, bool_or(draws) AS draws, bool_and(free) AS free
    FROM tickets
),

others AS (
    SELECT r.run_id, r.priority, r.priority > q.priority AS goes_first
    FROM queue AS q
    INNER JOIN store.runs AS r ON q.priority < r.priority OR NOT q.free
    WHERE
        r.state = 'open' AND (
            (
                q.draws AND r.model_id = q.model_id AND EXISTS (
                    SELECT 1 FROM store.batches AS b
                    WHERE
                        b.run_id = r.run_id AND b.state = 'ready' AND b.verifier_id IS NULL
                        AND b.enqueued_at IS NOT NULL
                )
            )
            OR (
                NOT q.draws AND EXISTS (
                    SELECT 1 FROM store.batches AS b
                    WHERE
                        b.run_id = r.run_id AND b.state = 'ready' AND b.verifier_id IS NOT NULL
                        AND b.enqueued_at IS NOT NULL
                )
            )
        )
),

own AS (
    SELECT array_agg(t.batch_id ORDER BY t.batch_id) AS batch_ids
    FROM tickets AS t
    WHERE t.free
),

ahead AS (
    SELECT array_agg(o.run_id ORDER BY o.priority DESC, o.run_id ASC) AS run_ids
    FROM others AS o
    WHERE o.goes_first
),

behind AS (
    SELECT array_agg(o.run_id ORDER BY o.priority DESC, o.run_id ASC) AS run_ids
    FROM others AS o
    WHERE NOT o.goes_first
)

SELECT q.draws, own.batch_ids, ahead.run_ids AS ahead, behind.run_ids AS behind
FROM queue AS q
CROSS JOIN own
CROSS JOIN ahead
CROSS JOIN behind
