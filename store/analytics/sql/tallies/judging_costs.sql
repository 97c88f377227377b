-- What judging by a model took, per verifier, problem and judging model.
SELECT
    run_id,
    verifier_id,
    problem_id,
    model_id,
    count(DISTINCT sample_index)::INTEGER AS samples,
    sum(requests)::BIGINT AS requests,
    coalesce(sum(prompt_tokens), 0)::BIGINT AS prompt_tokens,
    coalesce(sum(cached_prompt_tokens), 0)::BIGINT AS cached_prompt_tokens,
    coalesce(sum(completion_tokens), 0)::BIGINT AS completion_tokens,
    coalesce(sum(reasoning_tokens), 0)::BIGINT AS reasoning_tokens,
    coalesce(sum(gpu_seconds::DOUBLE), 0) AS gpu_seconds
FROM new_verdict_costs
GROUP BY run_id, verifier_id, problem_id, model_id
