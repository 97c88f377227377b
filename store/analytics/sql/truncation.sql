-- title: Truncated samples
-- question: How many samples ended at the longest length allowed, and what did that cost in correct ones?
-- grain: one row per run
-- parameter run (texts, default none): names of runs; every run when not given
-- column run: run
-- column max_tokens [tokens]: longest completion allowed; null when unknown
-- column samples [samples]: samples drawn
-- column truncated [samples]: of them ended at the longest length
-- column truncated_share [share]: truncated / samples
-- column problems_truncated [problems]: problems with any truncated sample
-- column worst_problem: the problem with the largest share of truncated samples
-- column worst_share [share]: that share
-- column median_completion_tokens [tokens]: median over the problems of the median length
-- source: tallies of the snapshot
SELECT
    r.run,
    r.max_tokens,
    CAST(sum(s.samples) AS BIGINT) AS samples,
    CAST(sum(s.truncated) AS BIGINT) AS truncated,
    CAST(sum(s.truncated) AS DOUBLE PRECISION) / sum(s.samples) AS truncated_share,
    CAST(sum(CASE WHEN s.truncated > 0 THEN 1 ELSE 0 END) AS BIGINT) AS problems_truncated,
    arg_max(
        q.problem, CASE WHEN s.truncated > 0 THEN CAST(s.truncated AS DOUBLE PRECISION) / s.samples END
    ) AS worst_problem,
    max(CAST(s.truncated AS DOUBLE PRECISION) / s.samples) AS worst_share,
    median(s.median_completion_tokens) AS median_completion_tokens
FROM analytics.runs AS r
INNER JOIN analytics.sample_counts AS s ON r.run_id = s.run_id
INNER JOIN analytics.problems AS q ON s.problem_id = q.problem_id
WHERE r.run_id = ANY($run_ids)
GROUP BY r.run_id, r.run, r.max_tokens
ORDER BY truncated_share DESC, r.run
