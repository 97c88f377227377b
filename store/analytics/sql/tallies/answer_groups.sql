-- Equal answers of a problem, as a verifier that reads and judges them gives them.
-- A sample counts when the verifier decided; one without an answer is in the group of the null answer.
SELECT
    g.run_id,
    g.verifier_id,
    g.verifier_id AS answers_from_id,
    g.problem_id,
    g.answer,
    g.decided::INTEGER AS samples,
    g.correct::INTEGER AS correct
FROM judged_groups AS g
SEMI JOIN answering AS a ON g.run_id = a.run_id AND g.verifier_id = a.verifier_id
WHERE g.decided > 0
