-- What each verifier gave a run beside outcomes: what its verdicts can be used for.
WITH given AS (
    SELECT
        run_id,
        verifier_id,
        count(*) AS verdicts,
        max(attempt) + 1 AS attempts,
        count(answer) AS answers,
        count(score) AS scores,
        0 AS step_scores,
        0 AS test_outcomes
    FROM new_verdicts
    GROUP BY run_id, verifier_id
    UNION ALL
    SELECT
        run_id,
        verifier_id,
        0 AS verdicts,
        0 AS attempts,
        0 AS answers,
        0 AS scores,
        count(*) AS step_scores,
        0 AS test_outcomes
    FROM new_step_scores
    GROUP BY run_id, verifier_id
    UNION ALL
    SELECT
        run_id,
        verifier_id,
        0 AS verdicts,
        0 AS attempts,
        0 AS answers,
        0 AS scores,
        0 AS step_scores,
        count(*) AS test_outcomes
    FROM new_test_outcomes
    GROUP BY run_id, verifier_id
)

SELECT
    run_id,
    verifier_id,
    sum(verdicts)::BIGINT AS verdicts,
    max(attempts)::INTEGER AS attempts,
    sum(answers)::BIGINT AS answers,
    sum(scores)::BIGINT AS scores,
    sum(step_scores)::BIGINT AS step_scores,
    sum(test_outcomes)::BIGINT AS test_outcomes
FROM given
GROUP BY run_id, verifier_id
