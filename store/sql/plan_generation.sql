-- Draw batches: every index below the target that is neither stored nor in an open batch, cut into ranges.
-- Lower ranges of all problems come first, so that a run stopped early has about equal n everywhere.
WITH target AS (
    SELECT r.run_id, r.benchmark_id, r.samples_per_problem AS wanted
    FROM store.runs AS r
    WHERE r.run_id = %(run_id)s
),

missing AS (
    SELECT p.problem_id, p.position, i.sample_index
    FROM target AS t
    INNER JOIN store.problems AS p ON t.benchmark_id = p.benchmark_id
    CROSS JOIN LATERAL generate_series(0, t.wanted - 1) AS i (sample_index)
    WHERE
        NOT EXISTS (
            SELECT 1 FROM store.samples AS s
            WHERE s.run_id = t.run_id AND s.problem_id = p.problem_id AND s.sample_index = i.sample_index
        )
        AND NOT EXISTS (
            SELECT 1 FROM store.batches AS b
            WHERE
                b.run_id = t.run_id AND b.problem_id = p.problem_id AND b.verifier_id IS NULL
                AND b.state IN ('ready', 'leased')
                AND i.sample_index >= b.first_index AND i.sample_index < b.end_index
        )
),

islands AS (
    SELECT
        problem_id, position, sample_index,
        sample_index - row_number() OVER (PARTITION BY problem_id ORDER BY sample_index) AS island
    FROM missing
),

ranges AS (
    SELECT
        problem_id, position,
        min(sample_index) AS first_index, max(sample_index) + 1 AS end_index
    FROM islands
    -- Cut on multiples of the size, so that a top-up meets the ranges of the run before it.
    GROUP BY problem_id, position, island, sample_index / %(size)s
)

INSERT INTO store.batches (run_id, problem_id, first_index, end_index)
SELECT %(run_id)s AS run_id, problem_id, first_index, end_index
FROM ranges
ORDER BY first_index, position
RETURNING batch_id
