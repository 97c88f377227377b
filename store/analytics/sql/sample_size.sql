-- title: Problems needed
-- question: How many problems would show a difference between two runs, and what difference do these problems show?
-- grain: one row per run beside the baseline and k
-- parameter run (texts): names of runs; the first is the baseline
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter difference (number, default 0.03): difference in pass rate that should be found
-- parameter power (number, default 0.8): chance that it is found when it is there
-- parameter k (integers, default the fewest samples either run has): samples of each problem in the planned comparison
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run compared with the baseline
-- column baseline: first run given
-- column k [samples]: samples of each problem in the planned comparison
-- column difference [share]: difference in mean pass rate that should be found
-- column problems_needed [problems]: problems needed to find it at the 5 % level with that power; not a whole number
-- column smallest_difference [share]: what the shared problems there are would find
-- column between_variance: variance of the true per-problem differences
-- column within_variance_run: mean sampling variance of one sample of the run
-- column within_variance_baseline: the same of the baseline
-- column problems [problems]: problems that both runs have
-- source: Miller 2024, arXiv 2411.00640, section 5
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT p.run_id, p.problem_id, p.n, p.c, p.undecided
FROM chosen AS h
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY p.run_id, p.problem_id
