-- How two verifiers that judged the same samples agree; each ordered pair, so that either may be the truth.
SELECT
    $run_id AS run_id,
    proxy.verifier_id,
    truth.verifier_id AS reference_id,
    proxy.problem_id,
    (count(*) FILTER (WHERE proxy.decided AND truth.decided))::INTEGER AS tp,
    (count(*) FILTER (WHERE proxy.decided AND NOT truth.decided))::INTEGER AS fp,
    (count(*) FILTER (WHERE NOT proxy.decided AND truth.decided))::INTEGER AS fn,
    (count(*) FILTER (WHERE NOT proxy.decided AND NOT truth.decided))::INTEGER AS tn
FROM judged AS proxy
JOIN judged AS truth
    ON
        proxy.problem_id = truth.problem_id AND proxy.sample_index = truth.sample_index
        AND proxy.verifier_id <> truth.verifier_id
WHERE proxy.decided IS NOT NULL AND truth.decided IS NOT NULL
GROUP BY proxy.verifier_id, truth.verifier_id, proxy.problem_id
