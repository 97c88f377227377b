-- What each verifier gave a run beside outcomes: what its verdicts can be used for.
WITH given AS (
    SELECT
        run_id,
        verifier_id,
        sum(samples) AS verdicts,
        max(last_attempt) + 1 AS attempts,
        sum(samples) FILTER (WHERE answer IS NOT null) AS answers,
        sum(scores) AS scores
    FROM judged_groups
    GROUP BY run_id, verifier_id
    UNION ALL BY NAME
    SELECT run_id, verifier_id, count(*) AS step_scores
    FROM new_step_scores
    GROUP BY run_id, verifier_id
    UNION ALL BY NAME
    SELECT run_id, verifier_id, count(*) AS test_outcomes
    FROM new_test_outcomes
    GROUP BY run_id, verifier_id
)

SELECT
    run_id,
    verifier_id,
    coalesce(sum(verdicts), 0)::BIGINT AS verdicts,
    coalesce(max(attempts), 0)::INTEGER AS attempts,
    coalesce(sum(answers), 0)::BIGINT AS answers,
    coalesce(sum(scores), 0)::BIGINT AS scores,
    coalesce(sum(step_scores), 0)::BIGINT AS step_scores,
    coalesce(sum(test_outcomes), 0)::BIGINT AS test_outcomes
FROM given
GROUP BY run_id, verifier_id
