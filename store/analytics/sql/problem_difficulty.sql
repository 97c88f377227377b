-- title: Difficulty of the problems
-- question: Which problems are hard for every run, and on which do runs disagree?
-- grain: one row per benchmark and problem
-- parameter run (texts, default none): names of runs; every run when not given
-- column benchmark: NAME@VERSION of the benchmark
-- column problem: the benchmark's own name for the problem
-- column position: 0-based place in the benchmark
-- column runs [runs]: runs whose reference verifier judged it
-- column solved_by [runs]: of them with at least one correct sample
-- column samples [samples]: judged samples
-- column correct [samples]: of them correct
-- column pass_rate [share]: mean over the runs of c / n
-- column lowest [share]: pass rate of the worst run
-- column highest [share]: pass rate of the best run
-- source: tallies of the snapshot
SELECT
    b.benchmark || '@' || b.version AS benchmark,
    q.problem,
    q.position,
    count(*) AS runs,
    CAST(sum(CASE WHEN p.c > 0 THEN 1 ELSE 0 END) AS BIGINT) AS solved_by,
    CAST(sum(p.n) AS BIGINT) AS samples,
    CAST(sum(p.c) AS BIGINT) AS correct,
    avg(CAST(p.c AS DOUBLE PRECISION) / p.n) AS pass_rate,
    min(CAST(p.c AS DOUBLE PRECISION) / p.n) AS lowest,
    max(CAST(p.c AS DOUBLE PRECISION) / p.n) AS highest
FROM analytics.runs AS r
INNER JOIN analytics.problem_counts AS p ON r.run_id = p.run_id AND r.reference_verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
INNER JOIN analytics.benchmarks AS b ON q.benchmark_id = b.benchmark_id
WHERE r.run_id = ANY($run_ids) AND p.n > 0
GROUP BY b.benchmark, b.version, q.problem, q.position, q.problem_id
ORDER BY b.benchmark, b.version, pass_rate, q.position
