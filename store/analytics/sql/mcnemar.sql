-- title: Solved by one run and not by another
-- question: With every stored sample spent, which run solves problems that the baseline does not, and is that chance?
-- grain: one row per run beside the baseline
-- parameter run (texts): names of runs; the first is the baseline
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run compared with the baseline
-- column baseline: first run given
-- column k [samples]: samples per problem that are compared, the fewest either run has
-- column both [problems]: problems that both solve
-- column only_run [problems]: problems that only this run solves
-- column only_baseline [problems]: problems that only the baseline solves
-- column neither [problems]: problems that neither solves
-- column p: two-sided p value of no difference (exact McNemar)
-- column sign_flip_p: the same for the pass rates c/n, by flipping signs of their differences
-- column problems [problems]: problems that both runs have
-- source: McNemar 1947; Miller 2024, arXiv 2411.00640, on paired comparison
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT p.run_id, p.problem_id, p.n, p.c, p.undecided
FROM chosen AS h
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY p.run_id, p.problem_id
