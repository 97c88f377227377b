-- title: Samples of a problem
-- question: Which samples were drawn for a problem, and how were they judged?
-- grain: one row per sample
-- parameter run (text): name of a run
-- parameter problem (text): name of a problem
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter outcome (correct|incorrect|undecided|unjudged, default none): only samples with this outcome
-- parameter answer (text, default none): only samples with this final answer
-- parameter reason (text, default none): only samples that were not found correct for this reason
-- parameter finish_reason (stop|length|abort, default none): only samples that ended so
-- parameter contains (text, default none): only samples whose completion has this text, whatever its case
-- parameter score_from (number, default none): only samples with at least this score
-- parameter score_to (number, default none): only samples with at most this score
-- parameter second_verifier (text, default none): NAME or NAME@VERSION of another verifier that judged the same samples
-- parameter second_outcome (correct|incorrect|undecided|unjudged, default none): only samples with this outcome by it
-- parameter limit (integer, default 50): most rows
-- parameter offset (integer, default 0): rows to skip
-- column sample_index: 0-based index in its run and problem
-- column outcome: correct, incorrect or undecided by majority of the attempts; null when not judged
-- column reason: why the first attempt did not find it correct
-- column answer: normalised final answer
-- column score: number given by a scoring verifier
-- column completion_tokens [tokens]: length of the completion
-- column finish_reason: stop, length or abort
-- column cumulative_logprob: natural log-probability of the completion
-- column seconds [s]: seconds of the first judgement
-- column attempts [verdicts]: judgements by this verifier
-- column matching [samples]: samples that match the filter, of which this page shows some
-- source: segments of the snapshot
WITH judged AS (
    SELECT
        sample_index,
        count(*) AS attempts,
        sum(CASE outcome WHEN 'correct' THEN 1 WHEN 'incorrect' THEN -1 ELSE 0 END) AS balance,
        arg_min(reason, attempt) AS reason,
        arg_min(answer, attempt) AS answer,
        arg_min(score, attempt) AS score,
        arg_min(seconds, attempt) AS seconds
    FROM analytics.verdicts
    WHERE run_id = $run_id AND verifier_id = $verifier_id AND problem_id = $problem_id
    GROUP BY sample_index
),

judged_beside AS (
    SELECT
        sample_index,
        sum(CASE outcome WHEN 'correct' THEN 1 WHEN 'incorrect' THEN -1 ELSE 0 END) AS balance
    FROM analytics.verdicts
    WHERE run_id = $run_id AND verifier_id = $second_verifier_id AND problem_id = $problem_id
    GROUP BY sample_index
),

wanted AS (
    SELECT sample_index FROM analytics.samples
    WHERE run_id = $run_id AND problem_id = $problem_id AND $contains IS NULL
    UNION ALL
    SELECT sample_index FROM analytics.completions
    WHERE run_id = $run_id AND problem_id = $problem_id AND position(lower($contains) IN lower(completion)) > 0
),

listed AS (
    SELECT
        s.sample_index,
        CASE
            WHEN j.balance > 0 THEN 'correct'
            WHEN j.balance < 0 THEN 'incorrect'
            WHEN j.balance = 0 THEN 'undecided'
        END AS outcome,
        j.reason,
        j.answer,
        CAST(j.score AS DOUBLE) AS score,
        s.completion_tokens,
        s.finish_reason,
        CAST(s.cumulative_logprob AS DOUBLE) AS cumulative_logprob,
        CAST(j.seconds AS DOUBLE) AS seconds,
        coalesce(j.attempts, 0) AS attempts,
        CASE
            WHEN b.balance > 0 THEN 'correct'
            WHEN b.balance < 0 THEN 'incorrect'
            WHEN b.balance = 0 THEN 'undecided'
            ELSE 'unjudged'
        END AS second_outcome
    FROM analytics.samples AS s
    INNER JOIN wanted AS w ON s.sample_index = w.sample_index
    LEFT JOIN judged AS j ON s.sample_index = j.sample_index
    LEFT JOIN judged_beside AS b ON s.sample_index = b.sample_index
    WHERE s.run_id = $run_id AND s.problem_id = $problem_id
),

matched AS (
    SELECT *
    FROM listed
    WHERE
        ($outcome IS NULL OR coalesce(outcome, 'unjudged') = $outcome)
        AND ($answer IS NULL OR answer = $answer)
        AND ($reason IS NULL OR reason = $reason)
        AND ($finish_reason IS NULL OR finish_reason = $finish_reason)
        AND ($second_outcome IS NULL OR second_outcome = $second_outcome)
        -- Scores are kept as 32-bit numbers: a bound is rounded as they were.
        AND ($score_from IS NULL OR score >= CAST($score_from AS REAL))
        AND ($score_to IS NULL OR score <= CAST($score_to AS REAL))
),

-- Not a window over all rows: on few of them DuckDB 1.5 now and then fails, for good (its issue 25713).
counted AS (SELECT count(*) AS matching FROM matched)

SELECT
    m.sample_index,
    m.outcome,
    m.reason,
    m.answer,
    m.score,
    m.completion_tokens,
    m.finish_reason,
    m.cumulative_logprob,
    m.seconds,
    m.attempts,
    c.matching
FROM matched AS m
CROSS JOIN counted AS c
ORDER BY m.sample_index
LIMIT $limit OFFSET $offset
