-- What the samples of a run took, by the day they were drawn: prices are by day. Samples without token counts are
-- counted apart, by problem: they count at the most they may have cost.
SELECT
    s.created_at::date AS drawn_on,
    CASE
        WHEN coalesce(s.prompt_tokens, 0) = 0 OR s.completion_tokens IS NULL THEN s.problem_id
    END AS unknown_problem_id,
    count(*)::bigint AS samples,
    coalesce(sum(s.prompt_tokens), 0)::bigint AS prompt_tokens,
    coalesce(sum(s.cached_prompt_tokens), 0)::bigint AS cached_prompt_tokens,
    coalesce(sum(s.cache_write_tokens), 0)::bigint AS cache_write_tokens,
    coalesce(sum(s.completion_tokens), 0)::bigint AS completion_tokens,
    coalesce(sum(s.reasoning_tokens), 0)::bigint AS reasoning_tokens,
    coalesce(sum(1.0 / greatest(s.request_samples, 1)), 0)::double precision AS requests,
    coalesce(sum(s.gpu_seconds::double precision), 0) AS gpu_seconds,
    coalesce(max(s.gpu_seconds::double precision / greatest(s.completion_tokens, 1)), 0) AS slowest_token
FROM store.samples AS s
WHERE s.run_id = %(run_id)s
GROUP BY drawn_on, unknown_problem_id
