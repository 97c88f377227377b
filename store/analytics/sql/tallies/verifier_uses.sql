-- What each verifier gave a run beside outcomes: what its verdicts can be used for.
WITH stepped AS (
    SELECT verifier_id, count(*) AS step_scores
    FROM analytics.step_scores
    WHERE run_id = $run_id
    GROUP BY verifier_id
),

tested AS (
    SELECT verifier_id, count(*) AS test_outcomes
    FROM analytics.test_outcomes
    WHERE run_id = $run_id
    GROUP BY verifier_id
)

SELECT
    $run_id AS run_id,
    v.verifier_id,
    count(*)::BIGINT AS verdicts,
    (max(v.attempt) + 1)::INTEGER AS attempts,
    count(v.answer)::BIGINT AS answers,
    count(v.score)::BIGINT AS scores,
    coalesce(max(s.step_scores), 0)::BIGINT AS step_scores,
    coalesce(max(t.test_outcomes), 0)::BIGINT AS test_outcomes
FROM analytics.verdicts AS v
LEFT JOIN stepped AS s ON v.verifier_id = s.verifier_id
LEFT JOIN tested AS t ON v.verifier_id = t.verifier_id
WHERE v.run_id = $run_id
GROUP BY v.verifier_id
