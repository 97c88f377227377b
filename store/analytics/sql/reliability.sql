-- title: Reliability
-- question: How often are all of k samples correct, or at least a share of them?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter tau (text, default 0.5): share of k that must be correct for G-pass@k, as a decimal or fraction
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column k [samples]: samples per problem
-- column pass_hat_k [share]: mean over problems of the chance that all k samples are correct (pass^k)
-- column low [share]: lower end of the 95 % interval of it over problems
-- column high [share]: upper end of it
-- column tau: share of k that must be correct
-- column g_pass_at_k [share]: mean chance that at least tau k of k samples are correct (G-pass@k)
-- column mg_pass_at_k [share]: mean of G-pass@k over tau from 1/2 to 1 (mG-pass@k)
-- column problems [problems]: problems this verifier judged
-- source: tau-bench, arXiv 2406.12045 (pass^k); arXiv 2412.13147 (G-pass@k)
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT p.run_id, p.problem_id, p.n, p.c, p.undecided
FROM chosen AS h
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY p.run_id, p.problem_id
