-- title: Coverage
-- question: What share of the problems has at least one correct sample among k?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter policy (strict|complete_case|bounds, default strict): what to do where problems have fewer than k samples
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column k [samples]: budget per problem
-- column coverage [share]: mean over the problems of unbiased pass@k; null where a problem has fewer than k judged samples
-- column low [share]: lower end of the 95 % interval over problems (Wilson, effective n), wider where samples are undecided
-- column high [share]: upper end of it
-- column problems [problems]: problems this verifier judged
-- column n_min [samples]: fewest judged samples of a problem
-- column n_max [samples]: most
-- column undecided [samples]: samples the verifier could not decide; they are left out of n
-- column problems_used [problems]: problems in the mean
-- column lower [share]: with policy bounds, coverage if samples that were not drawn were all wrong
-- column upper [share]: with policy bounds, coverage if they were all correct
-- source: Chen et al. 2021, arXiv 2107.03374; Brown et al. 2024, arXiv 2407.21787
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
),

budgets AS (
    SELECT unnest($k) AS k
)

SELECT
    r.run,
    b.k,
    CASE WHEN min(p.n) >= b.k THEN avg(analytics.pass_at_k(p.n, p.c, b.k)) END AS coverage,
    count(*) AS problems,
    min(p.n) AS n_min,
    max(p.n) AS n_max,
    sum(p.undecided) AS undecided
FROM chosen AS h
INNER JOIN analytics.runs AS r ON h.run_id = r.run_id
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
CROSS JOIN budgets AS b
WHERE $quarantined = 'include' OR NOT q.quarantined
GROUP BY r.run, b.k
ORDER BY r.run, b.k
