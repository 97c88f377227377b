-- title: Suspicious reference answers
-- question: On which problems do the runs agree on an answer that is not the reference?
-- grain: one row per benchmark and problem
-- parameter run (texts, default none): names of runs; every run when not given
-- parameter least_runs (integer, default 2): runs that must have answers for the problem
-- column benchmark: NAME@VERSION of the benchmark
-- column problem: the benchmark's own name for the problem
-- column reference_answer: known right answer
-- column answer: the most frequent answer of every run, ahead of any other
-- column runs [runs]: runs that have answers for the problem
-- column share [share]: mean over the runs of the samples that give it
-- source: tallies of the snapshot
WITH ranked AS (
    SELECT
        g.run_id,
        g.problem_id,
        g.answer,
        g.correct,
        CAST(g.samples AS DOUBLE PRECISION)
        / sum(g.samples) OVER (PARTITION BY g.run_id, g.answers_from_id, g.problem_id) AS share,
        g.samples > coalesce(
            lead(g.samples) OVER (
                PARTITION BY g.run_id, g.answers_from_id, g.problem_id ORDER BY g.samples DESC, g.answer
            ), 0
        ) AS ahead,
        row_number() OVER (PARTITION BY g.run_id, g.problem_id ORDER BY g.samples DESC, g.answers_from_id, g.answer)
            AS place
    FROM analytics.answer_groups AS g
    INNER JOIN analytics.runs AS r ON g.run_id = r.run_id AND g.verifier_id = r.reference_verifier_id
    WHERE g.run_id = ANY($run_ids) AND g.answer IS NOT NULL
)

SELECT
    b.benchmark || '@' || b.version AS benchmark,
    q.problem,
    q.reference_answer,
    min(k.answer) AS answer,
    count(*) AS runs,
    avg(k.share) AS share
FROM ranked AS k
INNER JOIN analytics.problems AS q ON k.problem_id = q.problem_id
INNER JOIN analytics.benchmarks AS b ON q.benchmark_id = b.benchmark_id
WHERE k.place = 1 AND q.reference_answer IS NOT NULL
GROUP BY b.benchmark, b.version, q.problem, q.position, q.reference_answer, q.problem_id
HAVING
    count(*) >= $least_runs -- noqa: RF02
    AND bool_and(k.ahead) AND count(DISTINCT k.answer) = 1 AND sum(k.correct) = 0
ORDER BY runs DESC, share DESC, q.position
