-- Ready batches whose message is surely gone: never sent; or overtaken - a batch sent later to the same queue was
-- taken long ago, though not because its run goes first; or in a queue that went quiet with fewer messages than
-- batches. A queue's key is the model's id, or 0 for the queue of everything that judges.
WITH keyed AS (
    SELECT
        b.batch_id, b.state, b.created_at, b.enqueued_at, b.leased_at, r.priority,
        CASE WHEN b.verifier_id IS NULL THEN r.model_id ELSE 0 END AS queue_key
    FROM store.batches AS b
    INNER JOIN store.runs AS r ON b.run_id = r.run_id
    WHERE
        r.state = 'open'
        AND (b.state = 'ready' OR b.leased_at > now() - make_interval(secs => 20 * %(patience)s))
),

overtaken AS (
    SELECT queue_key, priority, max(enqueued_at) AS sent_before
    FROM keyed
    -- A batch that was given back and sent again was taken before that message, and overtook nobody with it.
    WHERE leased_at < now() - make_interval(secs => %(patience)s) AND enqueued_at <= leased_at
    GROUP BY queue_key, priority
)

SELECT k.batch_id
FROM keyed AS k
LEFT JOIN overtaken AS o ON k.queue_key = o.queue_key AND k.priority = o.priority
WHERE
    k.state = 'ready'
    AND (
        (k.enqueued_at IS NULL AND k.created_at < now() - interval '3 seconds')
        OR (
            k.enqueued_at < now() - make_interval(secs => %(patience)s)
            AND (k.enqueued_at < o.sent_before OR k.queue_key = ANY(%(quiet_keys)s))
        )
    )
ORDER BY k.batch_id
LIMIT 5000
