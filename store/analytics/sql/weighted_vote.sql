-- title: Weighted vote
-- question: How often is the answer with the most weight among k samples the right one, scores being the weights?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter answers_from (text, default the verifier itself or the only one with answers): verifier whose answers are voted on
-- parameter scores_from (text, default the only verifier that gives scores): verifier whose scores are used
-- parameter steps (verdict|last|min|mean|product, default verdict): the verdict's score, or how the scores of its steps are put together
-- parameter transform (identity|softmax|sigmoid|rank, default identity): how a score becomes a weight of 0 or more
-- parameter permutations (integer, default 200): random orders of the samples behind the simulation
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column method: weighted_vote
-- column answers_from: verifier whose normalised answers are voted on
-- column scores_from: verifier whose scores are the weights
-- column transform: how a score becomes a weight
-- column k [samples]: budget per problem
-- column selection_accuracy [share]: mean over problems of the chance that the chosen sample is correct; null where a problem has fewer than k samples
-- column low [share]: lower end of the 95 % interval over problems (Wilson, effective n)
-- column high [share]: upper end of it
-- column coverage [share]: coverage of the same samples, the ceiling of every selection
-- column gap_closed [share]: (selection accuracy - pass@1) / (coverage - pass@1); null where there is no gap
-- column problems [problems]: problems with samples to choose from
-- column monte_carlo_se [share]: standard error of the simulation alone, not part of the interval; 0 where exact
-- source: prefixes of random permutations are uniform k-subsets for every k; exact by enumeration where small
WITH chosen AS (
    SELECT
        unnest($run_ids) AS run_id,
        unnest($verifier_ids) AS verifier_id,
        unnest($answers_from_ids) AS answers_from_id,
        unnest($scores_from_ids) AS scores_from_id
),

-- $once: the verifiers in question judged every sample once, so that there is nothing to put together.
judged AS (
    SELECT
        h.run_id,
        v.problem_id,
        v.sample_index,
        sum(CASE v.outcome WHEN 'correct' THEN 1 WHEN 'incorrect' THEN -1 ELSE 0 END) AS balance
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.verifier_id = v.verifier_id
    WHERE $once = false -- noqa: RF02
    GROUP BY h.run_id, v.problem_id, v.sample_index
    UNION ALL
    SELECT
        h.run_id,
        v.problem_id,
        v.sample_index,
        CASE v.outcome WHEN 'correct' THEN 1 WHEN 'incorrect' THEN -1 ELSE 0 END AS balance
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.verifier_id = v.verifier_id
    WHERE $once = true -- noqa: RF02
),

answered AS (
    SELECT
        h.run_id,
        v.problem_id,
        v.sample_index,
        arg_min(coalesce(v.answer_class, v.answer), v.attempt) FILTER (WHERE v.answer IS NOT null) AS answer
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.answers_from_id = v.verifier_id
    WHERE $once = false -- noqa: RF02
    GROUP BY h.run_id, v.problem_id, v.sample_index
    UNION ALL
    SELECT
        h.run_id,
        v.problem_id,
        v.sample_index,
        CASE WHEN v.answer IS NOT null THEN coalesce(v.answer_class, v.answer) END AS answer
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.answers_from_id = v.verifier_id
    WHERE $once = true -- noqa: RF02
),

scored AS (
    SELECT
        h.run_id,
        v.problem_id,
        v.sample_index,
        avg(v.score) AS score
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.scores_from_id = v.verifier_id
    WHERE $steps = 'verdict' AND $once = false -- noqa: RF02
    GROUP BY h.run_id, v.problem_id, v.sample_index
    UNION ALL
    SELECT
        h.run_id,
        v.problem_id,
        v.sample_index,
        v.score
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.scores_from_id = v.verifier_id
    WHERE $steps = 'verdict' AND $once = true -- noqa: RF02
    UNION ALL
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
)

SELECT
    j.run_id,
    j.problem_id,
    a.answer,
    s.score,
    j.balance > 0 AS correct
FROM judged AS j
INNER JOIN analytics.problems AS q ON j.problem_id = q.problem_id
LEFT JOIN answered AS a ON j.run_id = a.run_id AND j.problem_id = a.problem_id AND j.sample_index = a.sample_index
LEFT JOIN scored AS s ON j.run_id = s.run_id AND j.problem_id = s.problem_id AND j.sample_index = s.sample_index
WHERE j.balance <> 0 AND ($quarantined = 'include' OR NOT q.quarantined)
ORDER BY j.run_id, j.problem_id, j.sample_index
