-- Tokens of the samples a verifier decided, right and wrong ones apart: what any price makes a cost curve of.
-- A prompt is paid once a request, so each of the request's samples carries an equal share of it.
SELECT
    $run_id AS run_id,
    j.verifier_id,
    j.problem_id,
    j.decided AS correct,
    count(*)::INTEGER AS samples,
    (count(*) FILTER (WHERE s.prompt_tokens IS NOT NULL AND s.completion_tokens IS NOT NULL))::INTEGER AS with_tokens,
    sum(s.prompt_tokens / greatest(coalesce(s.request_samples, 1), 1)::DOUBLE) AS prompt_tokens,
    sum(coalesce(s.cached_prompt_tokens, 0) / greatest(coalesce(s.request_samples, 1), 1)::DOUBLE)
        AS cached_prompt_tokens,
    sum(s.completion_tokens)::BIGINT AS completion_tokens
FROM judged AS j
JOIN analytics.samples AS s ON j.problem_id = s.problem_id AND j.sample_index = s.sample_index
WHERE s.run_id = $run_id AND j.decided IS NOT NULL
GROUP BY j.verifier_id, j.problem_id, j.decided
