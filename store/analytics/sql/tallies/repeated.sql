-- Runs whose tallies the new rows cannot be added to: a sample judged more than once is counted by the majority of its
-- judgements, and a verifier that gave no answers till now may have counted samples without one.
SELECT DISTINCT n.run_id
FROM uses_of_news AS n
LEFT JOIN analytics.verifier_uses AS k ON n.run_id = k.run_id AND n.verifier_id = k.verifier_id
WHERE
    n.attempts > 1 OR (k.answers = 0 AND k.verdicts > 0 AND n.answers > 0)
    OR n.run_id IN (SELECT u.run_id FROM analytics.verifier_uses AS u WHERE u.attempts > 1)
ORDER BY n.run_id
