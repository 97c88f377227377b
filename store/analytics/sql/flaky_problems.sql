-- title: Flaky problems
-- question: Where do repeated judgements of one sample by one verifier disagree?
-- grain: one row per run, verifier and problem with repeated judgements
-- parameter run (text): name of a run
-- column run: run
-- column verifier: NAME@VERSION
-- column problem: the benchmark's own name for the problem
-- column judged_again [samples]: samples that the verifier decided more than once
-- column disagreeing [samples]: of them with both outcomes
-- column disagreeing_share [share]: disagreeing / judged_again
-- column tied [samples]: of them left undecided, because as many say correct as incorrect
-- source: segments of the snapshot; Brown et al. 2024, arXiv 2407.21787, on flaky tests of SWE-bench
WITH judged AS (
    SELECT
        verifier_id,
        problem_id,
        sample_index,
        sum(CASE WHEN outcome = 'correct' THEN 1 ELSE 0 END) AS correct,
        sum(CASE WHEN outcome = 'incorrect' THEN 1 ELSE 0 END) AS incorrect
    FROM analytics.verdicts
    WHERE run_id = $run_id
    GROUP BY verifier_id, problem_id, sample_index
)

SELECT
    r.run,
    v.verifier || '@' || v.version AS verifier,
    q.problem,
    count(*) AS judged_again,
    CAST(sum(CASE WHEN j.correct > 0 AND j.incorrect > 0 THEN 1 ELSE 0 END) AS BIGINT) AS disagreeing,
    avg(CASE WHEN j.correct > 0 AND j.incorrect > 0 THEN 1.0 ELSE 0.0 END) AS disagreeing_share,
    CAST(sum(CASE WHEN j.correct = j.incorrect THEN 1 ELSE 0 END) AS BIGINT) AS tied
FROM judged AS j
INNER JOIN analytics.runs AS r ON r.run_id = $run_id
INNER JOIN analytics.verifiers AS v ON j.verifier_id = v.verifier_id
INNER JOIN analytics.problems AS q ON j.problem_id = q.problem_id
WHERE j.correct + j.incorrect > 1
GROUP BY r.run, v.verifier, v.version, v.verifier_id, q.problem, q.position
ORDER BY disagreeing DESC, q.position
