-- Judge batches: every stored sample with fewer decided verdicts of the verifier than the run asks for, and in no open
-- batch of it. A sample whose verdicts are undecided is judged again, as its next attempt.
WITH asked AS (
    SELECT coalesce(max(repeats), 1) AS repeats
    FROM store.run_verifiers
    WHERE run_id = %(run_id)s AND verifier_id = %(verifier_id)s
),

judged AS (
    SELECT
        s.problem_id, s.sample_index, coalesce(max(v.attempt) + 1, 0) AS next_attempt,
        count(*) FILTER (WHERE v.outcome IN ('correct', 'incorrect')) AS decided
    FROM store.samples AS s
    LEFT JOIN store.verdicts AS v
        ON
            s.run_id = v.run_id AND s.problem_id = v.problem_id AND s.sample_index = v.sample_index
            AND v.verifier_id = %(verifier_id)s
    WHERE
        s.run_id = %(run_id)s
        AND NOT EXISTS (
            SELECT 1 FROM store.batches AS b
            WHERE
                b.run_id = s.run_id AND b.problem_id = s.problem_id AND b.verifier_id = %(verifier_id)s
                AND b.state IN ('ready', 'leased')
                AND s.sample_index >= b.first_index AND s.sample_index < b.end_index
        )
    GROUP BY s.problem_id, s.sample_index
),

missing AS (
    SELECT j.problem_id, j.sample_index, further.attempt
    FROM judged AS j
    CROSS JOIN asked AS a
    CROSS JOIN LATERAL generate_series(j.next_attempt, j.next_attempt + a.repeats - j.decided - 1) AS further (attempt)
),

islands AS (
    SELECT
        problem_id, attempt, sample_index,
        sample_index - row_number() OVER (PARTITION BY problem_id, attempt ORDER BY sample_index) AS island
    FROM missing
),

ranges AS (
    SELECT problem_id, attempt, min(sample_index) AS first_index, max(sample_index) + 1 AS end_index
    FROM islands
    GROUP BY problem_id, attempt, island, sample_index / %(size)s
)

INSERT INTO store.batches (run_id, problem_id, verifier_id, attempt, first_index, end_index)
SELECT %(run_id)s AS run_id, problem_id, %(verifier_id)s AS verifier_id, attempt, first_index, end_index
FROM ranges
ORDER BY attempt, first_index, problem_id
RETURNING batch_id
