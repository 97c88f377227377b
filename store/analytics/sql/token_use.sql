-- title: Tokens of a sample
-- question: How many tokens does one sample take on average?
-- grain: one row per run
-- parameter run (texts, default none): names of runs; every run when not given
-- parameter prompt_per (request|sample, default request): whether a prompt counts once for all samples of its request, or once for each
-- column run: run
-- column samples [samples]: samples drawn
-- column with_tokens [samples]: of them with known token counts
-- column prompt_tokens [tokens]: prompt tokens of a sample, by prompt_per; null where any is unknown
-- column completion_tokens [tokens]: completion tokens of a sample; null where any is unknown
-- column tokens [tokens]: both
-- source: tallies of the snapshot
WITH counted AS (
    SELECT
        run_id,
        sum(samples) AS samples,
        sum(with_tokens) AS with_tokens,
        sum(CASE WHEN $prompt_per = 'sample' THEN whole_prompt_tokens ELSE prompt_tokens END) AS prompt_tokens,
        sum(completion_tokens) AS completion_tokens
    FROM analytics.sample_counts
    GROUP BY run_id
)

SELECT
    r.run,
    CAST(c.samples AS BIGINT) AS samples,
    CAST(c.with_tokens AS BIGINT) AS with_tokens,
    CASE WHEN c.with_tokens = c.samples THEN CAST(c.prompt_tokens AS DOUBLE PRECISION) / c.samples END AS prompt_tokens,
    CASE WHEN c.with_tokens = c.samples THEN CAST(c.completion_tokens AS DOUBLE PRECISION) / c.samples END
        AS completion_tokens,
    CASE
        WHEN c.with_tokens = c.samples
            THEN CAST(c.prompt_tokens + c.completion_tokens AS DOUBLE PRECISION) / c.samples
    END AS tokens
FROM analytics.runs AS r
INNER JOIN counted AS c ON r.run_id = c.run_id
WHERE r.run_id = ANY($run_ids)
ORDER BY r.run_id
