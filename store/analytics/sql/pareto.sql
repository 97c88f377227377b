-- title: Cost and coverage that no other beats
-- question: Which runs, at which number of samples, solve most for their money?
-- grain: one row per run and k on the frontier
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter price_day (text, default the day of the snapshot): day (YYYY-MM-DD) whose price sheet is used
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column k [samples]: samples per problem
-- column usd_total [US$]: expected cost of k samples of every problem
-- column usd_per_problem [US$]: the same per problem
-- column coverage [share]: coverage at k
-- column solved [problems]: expected number of problems solved; not a whole number
-- column usd_per_solved [US$]: usd_total / solved; null when nothing is solved
-- column problems [problems]: problems this verifier judged
-- source: strict dominance: no other (run, k) is as cheap and as good and better in one of the two
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT
    t.run_id,
    t.problem_id,
    sum(t.samples) AS n,
    sum(CASE WHEN t.correct THEN t.samples ELSE 0 END) AS c,
    sum(t.prompt_tokens) AS prompt_tokens,
    sum(t.cached_prompt_tokens) AS cached_prompt_tokens,
    sum(t.cache_write_tokens) AS cache_write_tokens,
    sum(t.completion_tokens) AS completion_tokens,
    sum(t.reasoning_tokens) AS reasoning_tokens,
    sum(t.requests) AS requests,
    sum(t.gpu_seconds) AS gpu_seconds
FROM chosen AS h
INNER JOIN analytics.token_counts AS t ON h.run_id = t.run_id AND h.verifier_id = t.verifier_id
INNER JOIN analytics.problems AS q ON t.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
GROUP BY t.run_id, t.problem_id
ORDER BY t.run_id, t.problem_id
