-- What was drawn for each problem, judged or not.
SELECT
    run_id,
    problem_id,
    count(*)::INTEGER AS samples,
    (count(*) FILTER (WHERE prompt_tokens IS NOT NULL AND completion_tokens IS NOT NULL))::INTEGER AS with_tokens,
    sum(prompt_tokens / greatest(coalesce(request_samples, 1), 1)::DOUBLE) AS prompt_tokens,
    sum(coalesce(cached_prompt_tokens, 0) / greatest(coalesce(request_samples, 1), 1)::DOUBLE) AS cached_prompt_tokens,
    sum(completion_tokens)::BIGINT AS completion_tokens,
    median(completion_tokens) AS median_completion_tokens,
    (count(*) FILTER (WHERE finish_reason = 'length'))::INTEGER AS truncated,
    sum(prompt_tokens)::BIGINT AS whole_prompt_tokens
FROM new_samples
GROUP BY run_id, problem_id
