-- title: Difference in coverage
-- question: Does one run solve more problems than another at the same k, beyond what chance explains?
-- grain: one row per run beside the baseline and k
-- parameter run (texts): names of runs; the first is the baseline
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run compared with the baseline
-- column baseline: first run given
-- column k [samples]: budget per problem
-- column difference [share]: coverage of the run less that of the baseline, on the problems both have; null where any has fewer than k samples
-- column low [share]: lower end of the 95 % interval, paired by problem
-- column high [share]: upper end of it
-- column band_low [share]: lower end of the 95 % band over all k at once
-- column band_high [share]: upper end of it
-- column p: two-sided p value of no difference, paired t test
-- column holm_p: the same, corrected for all k asked about (Holm)
-- column problems [problems]: problems that both runs have
-- column only_run [problems]: problems left out because only this run has them
-- column only_baseline [problems]: problems left out because only the baseline has them
-- source: Miller 2024, arXiv 2411.00640, paired differences
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT r.run, q.problem, p.n, p.c
FROM chosen AS h
INNER JOIN analytics.runs AS r ON h.run_id = r.run_id
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY r.run_id, q.position
