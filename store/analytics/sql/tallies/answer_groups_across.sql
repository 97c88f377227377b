-- Equal answers of a problem, read by one verifier and judged by another.
-- A sample counts when its judge decided and its reader ran; one without an answer is in the group of the null answer.
SELECT
    $run_id AS run_id,
    judge.verifier_id,
    reader.verifier_id AS answers_from_id,
    judge.problem_id,
    reader.answer,
    count(*)::INTEGER AS samples,
    (count(*) FILTER (WHERE judge.decided))::INTEGER AS correct
FROM judged AS judge
INNER JOIN judged AS reader
    ON
        judge.problem_id = reader.problem_id AND judge.sample_index = reader.sample_index
        AND judge.verifier_id <> reader.verifier_id
WHERE
    judge.decided IS NOT NULL AND reader.spoke
    AND reader.verifier_id IN (SELECT j.verifier_id FROM judged AS j WHERE j.answer IS NOT NULL)
GROUP BY judge.verifier_id, reader.verifier_id, judge.problem_id, reader.answer
