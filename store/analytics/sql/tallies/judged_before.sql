-- What other verifiers said before of samples that got a new judgement, in runs without repeated judgements.
SELECT
    v.run_id,
    v.verifier_id,
    v.problem_id,
    v.sample_index,
    CASE v.outcome WHEN 'correct' THEN true WHEN 'incorrect' THEN false END AS decided,
    v.outcome <> 'undecided' AS spoke,
    coalesce(v.answer_class, v.answer) AS answer
FROM old_verdicts AS v
SEMI JOIN judged AS j ON v.run_id = j.run_id AND v.problem_id = j.problem_id AND v.sample_index = j.sample_index
