-- Tokens of the samples a verifier decided, right and wrong ones apart: what any price makes a cost curve of.
-- A prompt and its request are paid once, so each of the request's samples carries an equal share of them; whole_ are
-- the same with nothing shared out, as if every sample had been a request of its own.
-- Squares and products of lengths are what a count of floating-point operations needs.
WITH shared AS (
    SELECT
        j.run_id,
        j.verifier_id,
        j.problem_id,
        j.decided,
        s.prompt_tokens,
        s.cached_prompt_tokens,
        s.cache_write_tokens,
        s.completion_tokens,
        s.reasoning_tokens,
        s.gpu_seconds,
        1.0 / greatest(coalesce(s.request_samples, 1), 1)::DOUBLE AS share
    FROM judged AS j
    INNER JOIN drawn AS s
        ON j.run_id = s.run_id AND j.problem_id = s.problem_id AND j.sample_index = s.sample_index
    WHERE j.decided IS NOT NULL
)

SELECT
    run_id,
    verifier_id,
    problem_id,
    decided AS correct,
    count(*)::INTEGER AS samples,
    count(prompt_tokens + completion_tokens)::INTEGER AS with_tokens,
    sum(prompt_tokens * share) AS prompt_tokens,
    coalesce(sum(cached_prompt_tokens * share), 0) AS cached_prompt_tokens,
    sum(completion_tokens)::BIGINT AS completion_tokens,
    coalesce(sum(cache_write_tokens * share), 0) AS cache_write_tokens,
    coalesce(sum(reasoning_tokens), 0)::BIGINT AS reasoning_tokens,
    sum(share) AS requests,
    sum(gpu_seconds::DOUBLE) AS gpu_seconds,
    count(gpu_seconds)::INTEGER AS with_gpu,
    sum(prompt_tokens * (prompt_tokens + 1.0) * share) AS prompt_squares,
    sum(completion_tokens * (completion_tokens + 1.0)) AS completion_squares,
    sum(prompt_tokens * completion_tokens::DOUBLE) AS token_products,
    sum(prompt_tokens)::BIGINT AS whole_prompt_tokens,
    coalesce(sum(cached_prompt_tokens), 0)::BIGINT AS whole_cached_prompt_tokens,
    coalesce(sum(cache_write_tokens), 0)::BIGINT AS whole_cache_write_tokens,
    sum(prompt_tokens * (prompt_tokens + 1.0)) AS whole_prompt_squares
FROM shared
GROUP BY run_id, verifier_id, problem_id, decided
