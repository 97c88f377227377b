-- title: Resampling until a proxy accepts
-- question: If samples are drawn until a proxy verifier accepts one, at most k, how often is it the right one?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter proxy (text): NAME or NAME@VERSION of the verifier that accepts or rejects
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column proxy: verifier that accepts, NAME@VERSION
-- column k [samples]: most samples per problem
-- column correct [share]: mean over problems of the chance that a sample is accepted and correct
-- column low [share]: lower end of the 95 % interval of correct over problems (Wilson, effective n)
-- column high [share]: upper end of it
-- column false_accept [share]: chance that a wrong sample is accepted
-- column nothing [share]: chance that none of k is accepted
-- column apparent_coverage [share]: coverage as the proxy sees it, correct + false_accept
-- column coverage [share]: coverage by the reference, on the same samples
-- column problems [problems]: problems both judged
-- source: exact over all orders of the samples; Stroebl et al. 2024, arXiv 2411.17501, simulate it
SELECT
    a.run_id,
    a.problem_id,
    a.tp,
    a.fp,
    a.fn,
    a.tn
FROM analytics.agreement_counts AS a
INNER JOIN (
    SELECT
        unnest($run_ids) AS run_id,
        unnest($proxy_ids) AS verifier_id,
        unnest($verifier_ids) AS reference_id
) AS h ON a.run_id = h.run_id AND a.verifier_id = h.verifier_id AND a.reference_id = h.reference_id
INNER JOIN analytics.problems AS q ON a.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY a.run_id, a.problem_id
