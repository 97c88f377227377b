-- How far each problem of a run is, for planning a step at a time: what is drawn, what its reference verifier says of
-- it, what is on its way. spoken counts samples with any verdict; n and c are those that the majority decides.
WITH asked AS (
    SELECT r.run_id, r.benchmark_id, r.reference_verifier_id
    FROM store.runs AS r
    WHERE r.run_id = %(run_id)s
),

judged AS (
    SELECT
        v.problem_id, v.sample_index,
        count(*) FILTER (WHERE v.outcome = 'correct') AS correct,
        count(*) FILTER (WHERE v.outcome = 'incorrect') AS incorrect
    FROM asked AS a
    INNER JOIN store.verdicts AS v ON a.run_id = v.run_id AND a.reference_verifier_id = v.verifier_id
    WHERE %(problem_id)s::integer IS NULL OR v.problem_id = %(problem_id)s
    GROUP BY v.problem_id, v.sample_index
),

counts AS (
    SELECT
        problem_id,
        count(*)::integer AS spoken,
        (count(*) FILTER (WHERE correct <> incorrect))::integer AS n,
        (count(*) FILTER (WHERE correct > incorrect))::integer AS c
    FROM judged
    GROUP BY problem_id
),

drawn AS (
    SELECT
        s.problem_id,
        count(*)::integer AS drawn,
        (max(s.sample_index) + 1)::integer AS end_index,
        coalesce(avg(s.completion_tokens), 0)::double precision AS completion_tokens
    FROM asked AS a
    INNER JOIN store.samples AS s ON a.run_id = s.run_id
    WHERE %(problem_id)s::integer IS NULL OR s.problem_id = %(problem_id)s
    GROUP BY s.problem_id
),

work AS (
    SELECT
        b.problem_id,
        coalesce(sum(b.end_index - b.first_index) FILTER (
            WHERE b.verifier_id IS NULL AND b.state <> 'failed'
        ), 0)::integer AS waiting,
        (max(b.end_index) FILTER (WHERE b.verifier_id IS NULL AND b.state <> 'failed'))::integer AS end_index,
        coalesce(bool_or(b.verifier_id = a.reference_verifier_id AND b.state <> 'failed'), FALSE) AS judging,
        coalesce(bool_or(
            b.state = 'failed' AND (b.verifier_id IS NULL OR b.verifier_id = a.reference_verifier_id)
        ), FALSE) AS failed
    FROM asked AS a
    INNER JOIN store.batches AS b ON a.run_id = b.run_id
    WHERE
        b.state IN ('ready', 'leased', 'failed')
        AND (%(problem_id)s::integer IS NULL OR b.problem_id = %(problem_id)s)
    GROUP BY b.problem_id
)

SELECT
    p.problem_id,
    coalesce(d.drawn, 0) AS drawn,
    coalesce(c.spoken, 0) AS spoken,
    coalesce(c.n, 0) AS n,
    coalesce(c.c, 0) AS c,
    coalesce(w.waiting, 0) AS waiting,
    greatest(coalesce(d.end_index, 0), coalesce(w.end_index, 0)) AS end_index,
    coalesce(w.judging, FALSE) AS judging,
    coalesce(w.failed, FALSE) AS failed,
    coalesce(d.completion_tokens, 0) AS completion_tokens
FROM asked AS a
INNER JOIN store.problems AS p ON a.benchmark_id = p.benchmark_id
LEFT JOIN drawn AS d ON p.problem_id = d.problem_id
LEFT JOIN counts AS c ON p.problem_id = c.problem_id
LEFT JOIN work AS w ON p.problem_id = w.problem_id
WHERE %(problem_id)s::integer IS NULL OR p.problem_id = %(problem_id)s
ORDER BY p.position
