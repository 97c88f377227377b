-- title: Floating-point operations
-- question: How much computing do k samples of every problem take?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter parameters (number): parameters of the model
-- parameter layers (integer): layers of the model
-- parameter width (integer): width of its residual stream
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column k [samples]: samples per problem
-- column flops [operations]: expected operations for k samples of one problem, its prompt read once per request
-- column flops_total [operations]: the same for all problems
-- column coverage [share]: coverage at k
-- column problems [problems]: problems this verifier judged
-- source: Brown et al. 2024, arXiv 2407.21787, section 2.3, in closed form: 2Np + 2Ld p(p+1) and 2Nq + 4Ld pq + 2Ld q(q+1)
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT
    t.run_id,
    t.problem_id,
    sum(t.samples) AS n,
    sum(t.with_tokens) AS with_tokens,
    sum(t.prompt_tokens) AS prompt_tokens,
    sum(t.completion_tokens) AS completion_tokens,
    sum(t.prompt_squares) AS prompt_squares,
    sum(t.completion_squares) AS completion_squares,
    sum(t.token_products) AS token_products
FROM chosen AS h
INNER JOIN analytics.token_counts AS t ON h.run_id = t.run_id AND h.verifier_id = t.verifier_id
INNER JOIN analytics.problems AS q ON t.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
GROUP BY t.run_id, t.problem_id
ORDER BY t.run_id, t.problem_id
