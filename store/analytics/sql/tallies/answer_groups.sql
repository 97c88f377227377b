-- Equal answers of a problem, as a verifier that reads and judges them gives them.
-- A sample counts when the verifier decided; one without an answer is in the group of the null answer.
SELECT
    $run_id AS run_id,
    verifier_id,
    verifier_id AS answers_from_id,
    problem_id,
    answer,
    count(*)::INTEGER AS samples,
    (count(*) FILTER (WHERE decided))::INTEGER AS correct
FROM judged
WHERE decided IS NOT NULL AND verifier_id IN (SELECT j.verifier_id FROM judged AS j WHERE j.answer IS NOT NULL)
GROUP BY verifier_id, problem_id, answer
