-- title: Generated-test agreement
-- question: How often is a candidate right that is chosen because others pass the same generated tests?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter tests_from (text, default the only verifier that ran generated tests): verifier whose test outcomes are used
-- parameter weight (root|count, default root): root of the candidates times tests passed, as CodeT's code has it, or their count
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column method: generated_test_agreement
-- column tests_from: verifier that ran the generated tests, NAME@VERSION
-- column k [samples]: budget per problem
-- column selection_accuracy [share]: mean over problems of the chance that the chosen sample is correct; null where a problem has fewer than k samples
-- column low [share]: lower end of the 95 % interval over problems (Wilson, effective n)
-- column high [share]: upper end of it
-- column coverage [share]: coverage of the same samples, the ceiling of every selection
-- column gap_closed [share]: (selection accuracy - pass@1) / (coverage - pass@1); null where there is no gap
-- column problems [problems]: problems with samples to choose from
-- column consensus_sets [sets]: mean over problems of the different sets of passed tests
-- source: Chen et al. 2022, arXiv 2207.10397 (CodeT); exact expectation over k-subsets
WITH chosen AS (
    SELECT
        unnest($run_ids) AS run_id,
        unnest($verifier_ids) AS verifier_id,
        unnest($tests_from_ids) AS tests_from_id
),

judged AS (
    SELECT
        h.run_id,
        h.tests_from_id,
        v.problem_id,
        v.sample_index,
        sum(CASE v.outcome WHEN 'correct' THEN 1 WHEN 'incorrect' THEN -1 ELSE 0 END) AS balance
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.verifier_id = v.verifier_id
    GROUP BY h.run_id, h.tests_from_id, v.problem_id, v.sample_index
),

outcomes AS (
    SELECT
        t.run_id,
        t.problem_id,
        t.sample_index,
        t.test_id,
        t.outcome,
        bool_or(t.outcome = 'undecided') OVER (PARTITION BY t.run_id, t.problem_id, t.test_id) AS left_out
    FROM chosen AS h
    INNER JOIN analytics.test_outcomes AS t ON h.run_id = t.run_id AND h.tests_from_id = t.verifier_id
    WHERE t.attempt = 0
),

passed AS (
    SELECT
        run_id,
        problem_id,
        sample_index,
        list(test_id ORDER BY test_id) FILTER (WHERE outcome = 'correct' AND NOT left_out) AS tests
    FROM outcomes
    GROUP BY run_id, problem_id, sample_index
)

SELECT
    j.run_id,
    j.problem_id,
    coalesce(len(p.tests), 0) AS tests_passed,
    count(*) AS samples,
    count(*) FILTER (WHERE j.balance > 0) AS correct
FROM judged AS j
INNER JOIN analytics.problems AS q ON j.problem_id = q.problem_id
LEFT JOIN passed AS p ON j.run_id = p.run_id AND j.problem_id = p.problem_id AND j.sample_index = p.sample_index
WHERE j.balance <> 0 AND ($quarantined = 'include' OR NOT q.quarantined)
GROUP BY j.run_id, j.problem_id, p.tests
ORDER BY j.run_id, j.problem_id, tests_passed, samples, correct
