-- What every coverage curve is made of; the same numbers as the store's view of this name.
SELECT
    run_id,
    verifier_id,
    problem_id,
    sum(decided)::INTEGER AS n,
    sum(correct)::INTEGER AS c,
    sum(samples - decided)::INTEGER AS undecided
FROM judged_groups
GROUP BY run_id, verifier_id, problem_id
