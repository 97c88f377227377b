-- title: Verifiers of a run
-- question: Who judged the samples of a run, and how did they judge?
-- grain: one row per run and verifier
-- parameter run (texts, default none): names of runs; every run when not given
-- column run: run
-- column verifier: NAME@VERSION
-- column is_reference: whether it is the run's reference verifier
-- column judged [samples]: samples it decided
-- column correct [samples]: of them correct
-- column incorrect [samples]: of them incorrect
-- column undecided [samples]: samples it could not decide
-- column has_answers: whether it reads answers that can be voted on
-- source: tallies of the snapshot
WITH labels AS (
    SELECT
        verifier_id,
        verifier || '@' || version
        || CASE WHEN count(*) OVER (PARTITION BY verifier, version) > 1 THEN '#' || verifier_id ELSE '' END AS label
    FROM analytics.verifiers
)

SELECT
    r.run,
    l.label AS verifier,
    coalesce(p.verifier_id = r.reference_verifier_id, false) AS is_reference,
    CAST(sum(p.n) AS BIGINT) AS judged,
    CAST(sum(p.c) AS BIGINT) AS correct,
    CAST(sum(p.n - p.c) AS BIGINT) AS incorrect,
    CAST(sum(p.undecided) AS BIGINT) AS undecided,
    exists(
        SELECT 1 FROM analytics.answer_groups AS g
        WHERE g.run_id = r.run_id AND g.answers_from_id = p.verifier_id
    ) AS has_answers
FROM analytics.runs AS r
INNER JOIN analytics.problem_counts AS p ON r.run_id = p.run_id
INNER JOIN labels AS l ON p.verifier_id = l.verifier_id
WHERE r.run_id = ANY($run_ids)
GROUP BY r.run, r.run_id, l.label, p.verifier_id, r.reference_verifier_id
ORDER BY r.run_id, is_reference DESC, l.label
