-- title: Cheapest way to a coverage
-- question: How many samples, and how much money, does each run need to solve a given share of the problems?
-- grain: one row per run
-- parameter run (texts): names of runs
-- parameter target (number): share of problems to solve, between 0 and 1
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter price_day (text, default the day of the snapshot): day (YYYY-MM-DD) whose price sheet is used
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column target [share]: share of problems to solve
-- column reached: whether the stored samples reach it
-- column k [samples]: fewest samples per problem that reach it; null when none does
-- column coverage [share]: coverage at that k, or at the largest k there is
-- column usd_per_problem [US$]: expected cost of k samples of one problem
-- column usd_total [US$]: the same for all problems
-- column usd_per_solved [US$]: usd_total / expected number of problems solved
-- column cheapest: whether no other run here reaches it for less
-- column n_min [samples]: fewest judged samples of a problem
-- source: Brown et al. 2024, arXiv 2407.21787; coverage rises with k, so the fewest samples are found by bisection
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT p.run_id, p.problem_id, p.n, p.c
FROM chosen AS h
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY p.run_id, p.problem_id
