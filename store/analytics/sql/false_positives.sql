-- title: What false positives would do
-- question: If the verifier accepted wrong samples at a given rate, what would coverage seem to be, and what would it be?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter false_positive_rate (number): share of wrong samples that would be accepted
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter true_positive_rate (number, default 1): share of correct samples that would be accepted
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column k [samples]: most samples per problem
-- column true_positive_rate [share]: share of correct samples accepted
-- column false_positive_rate [share]: share of wrong samples accepted
-- column apparent_coverage [share]: problems with an accepted sample among k
-- column coverage [share]: problems with a correct sample among k, the rates c/n being taken as they are
-- column accepted_correct [share]: problems whose first accepted sample is correct
-- column accepted_wrong [share]: problems whose first accepted sample is wrong
-- column problems [problems]: problems this verifier judged
-- source: Stroebl et al. 2024, arXiv 2411.17501: accuracy given acceptance does not rise with k
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT p.run_id, p.problem_id, p.n, p.c, p.undecided
FROM chosen AS h
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY p.run_id, p.problem_id
