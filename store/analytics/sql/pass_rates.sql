-- title: Pass rates of the problems
-- question: Which problems fall, how often, and what do the samples answer?
-- grain: one row per run and problem
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column problem_id: key
-- column problem: the benchmark's own name for the problem
-- column position: 0-based place in the benchmark
-- column n [samples]: judged samples
-- column c [samples]: of them correct
-- column undecided [samples]: samples the verifier could not decide
-- column pass_rate [share]: c / n; null when n is 0
-- column distinct_answers [answers]: different answers among the samples; null when nobody reads answers
-- column majority_answer: the most frequent answer; the first by text where several lead
-- column majority_correct: whether samples with that answer are mostly correct
-- column median_completion_tokens [tokens]: median length of a completion
-- column reference_answer: known right answer, where there is one
-- column quarantined: whether the problem is set aside
-- column tags: words its benchmark files it under, as JSON text
-- source: tallies of the snapshot
WITH chosen AS (
    SELECT
        unnest($run_ids) AS run_id,
        unnest($verifier_ids) AS verifier_id,
        unnest($answers_from_ids) AS answers_from_id
),

ranked AS (
    SELECT
        g.run_id,
        g.problem_id,
        g.answer,
        g.correct * 2 > g.samples AS mostly_correct,
        count(*) OVER (PARTITION BY g.run_id, g.problem_id) AS distinct_answers,
        row_number() OVER (PARTITION BY g.run_id, g.problem_id ORDER BY g.samples DESC, g.answer) AS place
    FROM chosen AS h
    INNER JOIN analytics.answer_groups AS g
        ON h.run_id = g.run_id AND h.verifier_id = g.verifier_id AND h.answers_from_id = g.answers_from_id
    WHERE g.answer IS NOT NULL
)

SELECT
    r.run,
    q.problem_id,
    q.problem,
    q.position,
    p.n,
    p.c,
    p.undecided,
    CASE WHEN p.n > 0 THEN CAST(p.c AS DOUBLE PRECISION) / p.n END AS pass_rate,
    CASE WHEN u.answers > 0 THEN coalesce(a.distinct_answers, 0) END AS distinct_answers,
    a.answer AS majority_answer,
    a.mostly_correct AS majority_correct,
    s.median_completion_tokens,
    q.reference_answer,
    q.quarantined,
    q.tags
FROM chosen AS h
INNER JOIN analytics.runs AS r ON h.run_id = r.run_id
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
LEFT JOIN analytics.sample_counts AS s ON p.run_id = s.run_id AND p.problem_id = s.problem_id
LEFT JOIN analytics.verifier_uses AS u ON h.run_id = u.run_id AND h.answers_from_id = u.verifier_id
LEFT JOIN ranked AS a ON p.run_id = a.run_id AND p.problem_id = a.problem_id AND a.place = 1
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY r.run_id, q.position
