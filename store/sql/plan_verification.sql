-- Judge batches: every stored sample that has no decided verdict of the verifier and is in no open batch of it.
-- A sample whose verdicts are all undecided is judged again, as its next attempt.
WITH missing AS (
    SELECT s.problem_id, s.sample_index, coalesce(max(v.attempt) + 1, 0) AS attempt
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
    HAVING count(*) FILTER (WHERE v.outcome IN ('correct', 'incorrect')) = 0
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
ORDER BY first_index, problem_id
RETURNING batch_id
