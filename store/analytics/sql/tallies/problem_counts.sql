-- What every coverage curve is made of; the same numbers as the store's view of this name.
SELECT
    run_id,
    verifier_id,
    problem_id,
    count(decided)::INTEGER AS n,
    (count(*) FILTER (WHERE decided))::INTEGER AS c,
    (count(*) - count(decided))::INTEGER AS undecided
FROM judged
GROUP BY run_id, verifier_id, problem_id
