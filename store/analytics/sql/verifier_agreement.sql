-- title: A verifier against the reference
-- question: How far can a verifier be trusted: what it accepts, is that correct, and does it accept what is?
-- grain: one row per run
-- parameter run (texts): names of runs
-- parameter verifier (text): NAME or NAME@VERSION of the verifier in question
-- parameter reference (text, default the run's reference verifier): verifier taken as the truth
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier in question, NAME@VERSION
-- column reference: verifier taken as the truth, NAME@VERSION
-- column tp [samples]: accepted and correct
-- column fp [samples]: accepted and incorrect
-- column fn [samples]: rejected and correct
-- column tn [samples]: rejected and incorrect
-- column accepted [samples]: tp + fp, the denominator of precision
-- column truly_correct [samples]: tp + fn, the denominator of recall
-- column precision [share]: tp / accepted; null when it accepted nothing
-- column precision_se [share]: its standard error, robust to dependence inside a problem
-- column recall [share]: tp / truly_correct; null when nothing is correct
-- column recall_se [share]: its standard error
-- column false_positive_rate [share]: fp / (fp + tn)
-- column false_positive_problems [problems]: problems with at least one false positive
-- column problems [problems]: problems both judged
-- source: Stroebl et al. 2024, arXiv 2411.17501, on what false positives do to repeated sampling
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
        unnest($verifier_ids) AS verifier_id,
        unnest($reference_ids) AS reference_id
) AS h ON a.run_id = h.run_id AND a.verifier_id = h.verifier_id AND a.reference_id = h.reference_id
INNER JOIN analytics.problems AS q ON a.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY a.run_id, a.problem_id
