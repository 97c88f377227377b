-- Equal answers of a problem, as a verifier that reads and judges them gives them.
-- A sample counts when the verifier decided; one without an answer is in the group of the null answer.
SELECT
    j.run_id,
    j.verifier_id,
    j.verifier_id AS answers_from_id,
    j.problem_id,
    j.answer,
    count(*)::INTEGER AS samples,
    (count(*) FILTER (WHERE j.decided))::INTEGER AS correct
FROM judged AS j
SEMI JOIN answering AS a ON j.run_id = a.run_id AND j.verifier_id = a.verifier_id
WHERE j.decided IS NOT NULL
GROUP BY j.run_id, j.verifier_id, j.problem_id, j.answer
