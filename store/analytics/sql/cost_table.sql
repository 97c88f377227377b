-- title: Cost table
-- question: What do runs cost in all and per solved problem, each at its own number of attempts?
-- grain: one row per run
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter attempts (integer list, default the fewest judged samples of each run): samples per problem, one number for each run or one for all
-- parameter price_day (text, default the day of the snapshot): day (YYYY-MM-DD) whose price sheet is used
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column model: model
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column attempts [samples]: samples per problem
-- column usd_per_attempt [US$]: mean cost of one sample
-- column solved_share [share]: coverage at that number of attempts
-- column solved [problems]: expected number of problems solved; not a whole number
-- column problems [problems]: problems this verifier judged
-- column usd_total [US$]: cost of all attempts on all problems
-- column relative_cost: usd_total / the least usd_total among these runs
-- column usd_per_solved [US$]: usd_total / solved; null when nothing is solved
-- column low [US$]: lower end of the 95 % interval of usd_per_solved over problems (Fieller)
-- column high [US$]: upper end of it
-- source: Brown et al. 2024, arXiv 2407.21787, table 1 (SWE-bench Lite)
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
