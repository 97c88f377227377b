-- One row per sample and verifier: what the majority of the attempts that decided says.
-- decided is null when no attempt decided, or as many say correct as incorrect; spoke says whether any attempt ran.
-- attempt and score are as in judged_once.sql, so that both can be grouped alike.
-- Equivalent answers are one: the class that stands for them, decided once, is what is voted on.
SELECT
    run_id,
    verifier_id,
    problem_id,
    sample_index,
    CASE
        WHEN count(*) FILTER (WHERE outcome = 'correct') > count(*) FILTER (WHERE outcome = 'incorrect') THEN true
        WHEN count(*) FILTER (WHERE outcome = 'correct') < count(*) FILTER (WHERE outcome = 'incorrect') THEN false
    END AS decided,
    bool_or(outcome <> 'undecided') AS spoke,
    arg_min(coalesce(answer_class, answer), attempt) FILTER (WHERE answer IS NOT null) AS answer,
    max(attempt) AS attempt,
    max(score) AS score
FROM new_verdicts
GROUP BY run_id, verifier_id, problem_id, sample_index
