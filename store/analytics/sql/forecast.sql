-- title: Forecast of coverage
-- question: What coverage may more samples than are stored be expected to reach?
-- grain: one row per run, law and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the lattice up to ten times n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column law: law that was fitted
-- column k [samples]: budget per problem
-- column ratio: k / n, how far beyond the data this reaches; no law is known to hold there
-- column coverage [share]: forecast coverage, not an estimate; null beyond ten times n
-- column low [share]: lower end of the law's own 95 % interval (problem bootstrap)
-- column high [share]: upper end of it
-- column all_low [share]: lowest of all laws' intervals
-- column all_high [share]: highest of all laws' intervals
-- column backtest_error [share]: mean error of the law when the stored samples, thinned to a tenth, predict the rest
-- column misfit [share]: largest distance of the law from coverage at k up to n
-- column n [samples]: fewest judged samples of a problem
-- source: Brown et al. 2024, arXiv 2407.21787 (power law); Kazdan et al. 2025, arXiv 2510.05197 (beta-binomial)
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT p.run_id, p.problem_id, p.n, p.c
FROM chosen AS h
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY p.run_id, p.problem_id
