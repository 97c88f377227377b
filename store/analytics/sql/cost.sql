-- title: Cost per solved problem
-- question: What do k samples for every problem cost, and what does one solved problem cost?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter price_day (text, default the day of the snapshot): day (YYYY-MM-DD) whose price sheet is used
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column k [samples]: budget per problem
-- column usd_per_problem [US$]: expected cost of k samples of one problem, its prompt shared by the samples of a request
-- column usd_total [US$]: the same for all problems
-- column solved [problems]: expected number of problems with a correct sample among k; not a whole number
-- column usd_per_solved [US$]: usd_total / solved; null when nothing is solved
-- column low [US$]: lower end of the 95 % interval of usd_per_solved over problems (Fieller)
-- column high [US$]: upper end of it
-- column expected_attempts [samples]: samples per problem when stopping at the first correct one, at most k
-- column usd_until_solved [US$]: cost per problem when stopping at the first correct sample, at most k
-- column coverage [share]: coverage at k
-- column prompt_tokens [tokens]: prompt tokens per problem at k
-- column completion_tokens [tokens]: completion tokens per problem at k
-- column cached_prompt_tokens [tokens]: of the prompt tokens, those read from a cache
-- column cache_write_tokens [tokens]: of the prompt tokens, those written to a paid cache
-- column reasoning_tokens [tokens]: of the completion tokens, those of hidden reasoning
-- column requests [requests]: requests per problem at k
-- column gpu_seconds [s]: device seconds per problem at k; null when unknown
-- column usd_verification [US$]: expected cost of the verifier's own requests per problem at k; null when none is recorded
-- column price_from: first day of the price used
-- column problems [problems]: problems this verifier judged
-- source: Brown et al. 2024, arXiv 2407.21787, table 1; stopping at the first success: mean over all orders of the samples
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT
    t.run_id,
    t.problem_id,
    sum(t.samples) AS n,
    sum(CASE WHEN t.correct THEN t.samples ELSE 0 END) AS c,
    sum(t.with_tokens) AS with_tokens,
    sum(t.prompt_tokens) AS prompt_tokens,
    sum(t.cached_prompt_tokens) AS cached_prompt_tokens,
    sum(t.completion_tokens) AS completion_tokens,
    sum(t.cache_write_tokens) AS cache_write_tokens,
    sum(t.reasoning_tokens) AS reasoning_tokens,
    sum(t.requests) AS requests,
    sum(t.gpu_seconds) AS gpu_seconds,
    sum(t.with_gpu) AS with_gpu,
    sum(t.prompt_squares) AS prompt_squares,
    sum(t.completion_squares) AS completion_squares,
    sum(t.token_products) AS token_products,
    sum(CASE WHEN t.correct THEN t.prompt_tokens ELSE 0 END) AS correct_prompt_tokens,
    sum(CASE WHEN t.correct THEN t.cached_prompt_tokens ELSE 0 END) AS correct_cached_prompt_tokens,
    sum(CASE WHEN t.correct THEN t.completion_tokens ELSE 0 END) AS correct_completion_tokens,
    sum(CASE WHEN t.correct THEN t.cache_write_tokens ELSE 0 END) AS correct_cache_write_tokens,
    sum(CASE WHEN t.correct THEN t.reasoning_tokens ELSE 0 END) AS correct_reasoning_tokens,
    sum(CASE WHEN t.correct THEN t.requests ELSE 0 END) AS correct_requests,
    sum(CASE WHEN t.correct THEN t.gpu_seconds ELSE 0 END) AS correct_gpu_seconds
FROM chosen AS h
INNER JOIN analytics.token_counts AS t ON h.run_id = t.run_id AND h.verifier_id = t.verifier_id
INNER JOIN analytics.problems AS q ON t.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
GROUP BY t.run_id, t.problem_id
ORDER BY t.run_id, t.problem_id
