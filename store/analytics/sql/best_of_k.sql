-- title: Best of k by a score
-- question: How often is the sample that a scoring verifier likes best of k the right one?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter scores_from (text, default the only verifier that gives scores): verifier whose scores are used
-- parameter steps (verdict|last|min|mean|product, default verdict): the verdict's score, or how the scores of its steps are put together
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column method: best_of_k
-- column scores_from: verifier whose scores choose, NAME@VERSION
-- column k [samples]: budget per problem
-- column selection_accuracy [share]: mean over problems of the chance that the chosen sample is correct; null where a problem has fewer than k samples
-- column low [share]: lower end of the 95 % interval over problems (Wilson, effective n)
-- column high [share]: upper end of it
-- column coverage [share]: coverage of the same samples, the ceiling of every selection
-- column gap_closed [share]: (selection accuracy - pass@1) / (coverage - pass@1); null where there is no gap
-- column problems [problems]: problems with samples to choose from
-- column missing_share [share]: samples without a score; they rank below every scored one
-- column tie_share [share]: samples that tie with another; ties are split evenly
-- source: exact expectation over k-subsets; Brown et al. 2024, arXiv 2407.21787, section 4
WITH chosen AS (
    SELECT
        unnest($run_ids) AS run_id,
        unnest($verifier_ids) AS verifier_id,
        unnest($scores_from_ids) AS scores_from_id
),

judged AS (
    SELECT
        h.run_id,
        v.problem_id,
        v.sample_index,
        sum(CASE v.outcome WHEN 'correct' THEN 1 WHEN 'incorrect' THEN -1 ELSE 0 END) AS balance
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.verifier_id = v.verifier_id
    WHERE $grouped = true -- noqa: RF02
    GROUP BY h.run_id, v.problem_id, v.sample_index
),

stepped AS (
    SELECT
        h.run_id,
        t.problem_id,
        t.sample_index,
        avg(CASE $steps
            WHEN 'last' THEN t.scores[-1]
            WHEN 'min' THEN list_min(t.scores)
            WHEN 'mean' THEN list_avg(t.scores)
            ELSE list_product(t.scores)
        END) AS score
    FROM chosen AS h
    INNER JOIN analytics.step_scores AS t ON h.run_id = t.run_id AND h.scores_from_id = t.verifier_id
    WHERE $steps <> 'verdict'
    GROUP BY h.run_id, t.problem_id, t.sample_index
),

scored AS (
    SELECT
        h.run_id,
        v.problem_id,
        v.sample_index,
        avg(v.score) AS score
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.scores_from_id = v.verifier_id
    WHERE $steps = 'verdict' AND $grouped = true -- noqa: RF02
    GROUP BY h.run_id, v.problem_id, v.sample_index
    UNION ALL
    SELECT run_id, problem_id, sample_index, score FROM stepped
),

-- $once: the judge's own scores, one verdict a sample: nothing to put together. $apart: the scores of another
-- verifier, and again one verdict a sample of either.
rated AS (
    SELECT
        j.problem_id,
        s.score,
        j.balance > 0 AS correct
    FROM judged AS j
    LEFT JOIN scored AS s ON j.run_id = s.run_id AND j.problem_id = s.problem_id AND j.sample_index = s.sample_index
    WHERE j.balance <> 0
    UNION ALL
    SELECT
        v.problem_id,
        v.score,
        v.outcome = 'correct' AS correct
    FROM analytics.verdicts AS v
    WHERE
        v.run_id = list_first($run_ids) AND v.verifier_id = list_first($verifier_ids)
        AND v.outcome <> 'undecided' AND $once = true -- noqa: RF02
    UNION ALL
    SELECT
        v.problem_id,
        w.score,
        v.outcome = 'correct' AS correct
    FROM analytics.verdicts AS v
    LEFT JOIN analytics.verdicts AS w
        ON
            w.run_id = list_first($run_ids) AND w.verifier_id = list_first($scores_from_ids)
            AND v.problem_id = w.problem_id AND v.sample_index = w.sample_index
    WHERE
        v.run_id = list_first($run_ids) AND v.verifier_id = list_first($verifier_ids)
        AND v.outcome <> 'undecided' AND $apart = true -- noqa: RF02
)

SELECT
    problem_id,
    score,
    correct
FROM rated
WHERE
    $quarantined = 'include'
    OR problem_id NOT IN (SELECT q.problem_id FROM analytics.problems AS q WHERE q.quarantined)
