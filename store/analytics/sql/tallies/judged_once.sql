-- The same as judged.sql for runs without repeated judgements: nothing to group.
SELECT
    run_id,
    verifier_id,
    problem_id,
    sample_index,
    CASE outcome WHEN 'correct' THEN true WHEN 'incorrect' THEN false END AS decided,
    outcome <> 'undecided' AS spoke,
    coalesce(answer_class, answer) AS answer,
    attempt,
    score
FROM new_verdicts
