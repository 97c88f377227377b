-- title: Thresholds of a score
-- question: Where should the threshold of a scoring verifier lie: how precise is what it accepts, how much does it miss?
-- grain: one row per threshold, at most 200 of them evenly spread over the samples
-- parameter run (text): name of the run
-- parameter verifier (text): NAME or NAME@VERSION of the verifier that gives scores
-- parameter reference (text, default the run's reference verifier): verifier taken as the truth
-- column threshold: samples with this score or a higher one are accepted
-- column tp [samples]: accepted and correct
-- column accepted [samples]: accepted
-- column precision [share]: tp / accepted
-- column recall [share]: tp / correct samples; null when nothing is correct
-- column scored [samples]: samples that have a score and that the reference decided
-- source: contract views; the last attempt of each verifier counts
WITH latest AS (
    SELECT
        problem_id,
        sample_index,
        verifier_id = $reference_id AS is_reference,
        outcome,
        score,
        row_number() OVER (PARTITION BY problem_id, sample_index, verifier_id ORDER BY attempt DESC) AS newest
    FROM analytics.verdicts
    WHERE run_id = $run_id AND verifier_id IN ($verifier_id, $reference_id)
),

scored AS (
    SELECT
        p.score,
        CASE WHEN t.outcome = 'correct' THEN 1 ELSE 0 END AS correct
    FROM latest AS p
    INNER JOIN latest AS t ON p.problem_id = t.problem_id AND p.sample_index = t.sample_index
    WHERE
        p.newest = 1 AND t.newest = 1 AND NOT p.is_reference AND t.is_reference
        AND p.score IS NOT NULL AND t.outcome IN ('correct', 'incorrect')
),

grouped AS (
    SELECT
        score,
        sum(correct) AS correct,
        count(*) AS samples
    FROM scored
    GROUP BY score
),

totals AS (
    SELECT
        sum(correct) AS all_correct,
        sum(samples) AS scored
    FROM grouped
),

stacked AS (
    SELECT
        g.score,
        sum(g.correct) OVER (ORDER BY g.score DESC) AS tp,
        sum(g.samples) OVER (ORDER BY g.score DESC) AS accepted,
        t.all_correct,
        t.scored
    FROM grouped AS g
    CROSS JOIN totals AS t
),

-- Of neighbouring scores the lowest stands for all: it accepts what each of them does.
thinned AS (
    SELECT
        min(score) AS score,
        max(tp) AS tp,
        max(accepted) AS accepted,
        max(all_correct) AS all_correct,
        max(scored) AS scored
    FROM stacked
    GROUP BY CAST(floor(200.0 * (accepted - 1) / scored) AS BIGINT)
)

SELECT
    score AS threshold,
    CAST(tp AS BIGINT) AS tp,
    CAST(accepted AS BIGINT) AS accepted,
    CAST(tp AS DOUBLE PRECISION) / accepted AS precision,
    CAST(tp AS DOUBLE PRECISION) / nullif(all_correct, 0) AS recall,
    CAST(scored AS BIGINT) AS scored
FROM thinned
ORDER BY score
