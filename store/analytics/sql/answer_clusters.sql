-- title: Answers of a problem
-- question: Which answers do the samples of a problem give, how often, and which are right?
-- grain: one row per different answer
-- parameter run (text): name of a run
-- parameter problem (text): name of a problem
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter answers_from (text, default the verifier itself or the only one with answers): verifier whose answers are grouped
-- column answer: normalised final answer; null for samples without one
-- column count [samples]: decided samples with this answer
-- column share [share]: of the problem's decided samples
-- column correct [samples]: of them correct
-- column correct_share [share]: correct / count
-- source: tallies of the snapshot
WITH answers AS (
    SELECT
        answer,
        samples,
        correct
    FROM analytics.answer_groups
    WHERE
        run_id = $run_id AND verifier_id = $verifier_id AND answers_from_id = $answers_from_id
        AND problem_id = $problem_id
),

counted AS (SELECT sum(samples) AS samples FROM answers)

SELECT
    a.answer,
    a.samples AS count,
    CAST(a.samples AS DOUBLE PRECISION) / c.samples AS share,
    a.correct,
    CAST(a.correct AS DOUBLE PRECISION) / a.samples AS correct_share
FROM answers AS a
CROSS JOIN counted AS c
ORDER BY a.samples DESC, a.answer
