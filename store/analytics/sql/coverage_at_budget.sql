-- title: Coverage for a budget
-- question: How many problems does each run solve for a given amount of money, and which run solves most?
-- grain: one row per run and budget
-- parameter run (texts): names of runs; the first is the baseline of the differences
-- parameter usd (numbers): US$ for all problems together
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter price_day (text, default the day of the snapshot): day (YYYY-MM-DD) whose price sheet is used
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column usd [US$]: budget for all problems together
-- column k [samples]: samples per problem it buys; between whole numbers either is drawn at random
-- column coverage [share]: expected coverage; null where the budget buys less than one sample or more than there are
-- column low [share]: lower end of the 95 % interval over problems (Wilson, effective n)
-- column high [share]: upper end of it
-- column solved [problems]: expected number of problems solved; not a whole number
-- column difference [share]: coverage less that of the baseline for the same money, on shared problems
-- column difference_low [share]: lower end of the 95 % interval, paired by problem
-- column difference_high [share]: upper end of it
-- column problems [problems]: problems this verifier judged
-- source: randomised policies make the curve linear between whole numbers of samples; Miller 2024, arXiv 2411.00640
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
