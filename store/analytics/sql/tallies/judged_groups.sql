-- Equal answers of a problem as one verifier reads them, with what it decided, and what its verdicts hold: one pass over
-- rows that several tallies sum.
SELECT
    run_id,
    verifier_id,
    problem_id,
    answer,
    count(*) AS samples,
    count(decided) AS decided,
    count(*) FILTER (WHERE decided) AS correct,
    max(attempt) AS last_attempt,
    count(score) AS scores
FROM judged
GROUP BY run_id, verifier_id, problem_id, answer
