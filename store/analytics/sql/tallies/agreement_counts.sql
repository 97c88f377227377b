-- How two verifiers that judged the same samples agree; each ordered pair, so that either may be the truth.
-- Of samples that were there before, the pairs in which neither judgement is new are counted already.
SELECT
    proxy.run_id,
    proxy.verifier_id,
    truth.verifier_id AS reference_id,
    proxy.problem_id,
    (count(*) FILTER (WHERE proxy.decided AND truth.decided))::INTEGER AS tp,
    (count(*) FILTER (WHERE proxy.decided AND NOT truth.decided))::INTEGER AS fp,
    (count(*) FILTER (WHERE NOT proxy.decided AND truth.decided))::INTEGER AS fn,
    (count(*) FILTER (WHERE NOT proxy.decided AND NOT truth.decided))::INTEGER AS tn
FROM judged_beside AS proxy
JOIN judged_beside AS truth
    ON
        proxy.run_id = truth.run_id AND proxy.problem_id = truth.problem_id
        AND proxy.sample_index = truth.sample_index AND proxy.verifier_id <> truth.verifier_id
WHERE proxy.decided IS NOT NULL AND truth.decided IS NOT NULL AND (proxy.fresh OR truth.fresh)
GROUP BY proxy.run_id, proxy.verifier_id, truth.verifier_id, proxy.problem_id
