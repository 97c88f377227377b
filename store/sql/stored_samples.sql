-- Samples of some runs with problem, text, and the verdict that counts: the last decided one of the verifier.
SELECT
    r.name AS run,
    s.run_id,
    b.name AS benchmark,
    m.name AS model, -- noqa: RF04
    s.problem_id,
    p.key AS problem,
    p.position,
    p.prompt AS question,
    p.reference_answer,
    s.sample_index,
    c.completion,
    s.completion_hash,
    s.prompt_tokens,
    s.completion_tokens,
    s.finish_reason,
    s.latency_seconds,
    v.outcome,
    v.reason,
    v.answer,
    v.score,
    coalesce(g.prompt, replace(r.prompt_template, '{prompt}', p.prompt)) AS prompt,
    f.name || '@' || f.version AS verifier
FROM store.runs AS r
INNER JOIN store.models AS m ON r.model_id = m.model_id
INNER JOIN store.benchmarks AS b ON r.benchmark_id = b.benchmark_id
INNER JOIN store.samples AS s ON r.run_id = s.run_id
INNER JOIN store.completions AS c
    ON s.run_id = c.run_id AND s.problem_id = c.problem_id AND s.sample_index = c.sample_index
INNER JOIN store.problems AS p ON s.problem_id = p.problem_id
LEFT JOIN store.prompts AS g ON s.run_id = g.run_id AND s.problem_id = g.problem_id
LEFT JOIN store.verifiers AS f
    ON f.verifier_id = (%(verifiers)s::jsonb ->> r.run_id::text)::integer
LEFT JOIN LATERAL (
    SELECT
        j.outcome,
        j.reason,
        j.answer,
        j.score
    FROM store.verdicts AS j
    WHERE
        j.run_id = s.run_id AND j.problem_id = s.problem_id AND j.sample_index = s.sample_index
        AND j.verifier_id = f.verifier_id
    ORDER BY j.outcome = 'undecided', j.attempt DESC
    LIMIT 1
) AS v ON true
WHERE r.run_id = any(%(runs)s)
