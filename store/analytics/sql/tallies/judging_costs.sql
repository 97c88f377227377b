-- What judging by a model took, per verifier, problem, judging model, and what came of it for the sample.
-- A cost without a verdict in its own batch (of comparing pairs) belongs to no outcome of a sample.
SELECT
    t.run_id,
    t.verifier_id,
    t.problem_id,
    t.model_id,
    j.decided AS correct,
    count(DISTINCT t.sample_index)::INTEGER AS samples,
    sum(t.requests)::BIGINT AS requests,
    coalesce(sum(t.prompt_tokens), 0)::BIGINT AS prompt_tokens,
    coalesce(sum(t.cached_prompt_tokens), 0)::BIGINT AS cached_prompt_tokens,
    coalesce(sum(t.completion_tokens), 0)::BIGINT AS completion_tokens,
    coalesce(sum(t.reasoning_tokens), 0)::BIGINT AS reasoning_tokens,
    coalesce(sum(t.gpu_seconds::DOUBLE), 0) AS gpu_seconds
FROM new_verdict_costs AS t
LEFT JOIN new_verdicts AS v
    ON
        t.run_id = v.run_id
        AND t.verifier_id = v.verifier_id
        AND t.problem_id = v.problem_id
        AND t.sample_index = v.sample_index
        AND t.attempt = v.attempt
        AND t.batch_id = v.batch_id
LEFT JOIN judged AS j
    ON
        v.run_id = j.run_id
        AND v.verifier_id = j.verifier_id
        AND v.problem_id = j.problem_id
        AND v.sample_index = j.sample_index
GROUP BY t.run_id, t.verifier_id, t.problem_id, t.model_id, j.decided
