-- Equal answers of a problem, read by one verifier and judged by another.
-- A sample counts when its judge decided and its reader ran; one without an answer is in the group of the null answer.
-- Of samples that were there before, the pairs in which neither judgement is new are counted already.
SELECT
    judge.run_id,
    judge.verifier_id,
    reader.verifier_id AS answers_from_id,
    judge.problem_id,
    reader.answer,
    count(*)::INTEGER AS samples,
    (count(*) FILTER (WHERE judge.decided))::INTEGER AS correct
FROM judged_beside AS judge
INNER JOIN judged_beside AS reader
    ON
        judge.run_id = reader.run_id AND judge.problem_id = reader.problem_id
        AND judge.sample_index = reader.sample_index AND judge.verifier_id <> reader.verifier_id
SEMI JOIN answering AS a ON reader.run_id = a.run_id AND reader.verifier_id = a.verifier_id
WHERE judge.decided IS NOT NULL AND reader.spoke AND (judge.fresh OR reader.fresh)
GROUP BY judge.run_id, judge.verifier_id, reader.verifier_id, judge.problem_id, reader.answer
