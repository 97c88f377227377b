-- title: Costs by stage
-- question: Which stage of a pipeline does the money go to, and to which kind of token?
-- grain: one row per run, stage and model
-- parameter run (texts, default none): names of runs; every run when not given
-- parameter price_day (text, default the day of the snapshot): day (YYYY-MM-DD) whose price sheet is used
-- column run: run
-- column stage: stage of the pipeline
-- column model: model whose price counts; null where a bill is given without one
-- column requests [requests]: requests
-- column input_usd [US$]: uncached prompt tokens
-- column cache_read_usd [US$]: prompt tokens read from a cache
-- column cache_write_usd [US$]: prompt tokens written to a cache
-- column output_usd [US$]: completion tokens without reasoning
-- column reasoning_usd [US$]: reasoning tokens
-- column request_usd [US$]: requests paid for by number
-- column gpu_usd [US$]: device time
-- column billed_usd [US$]: bills known as a sum only
-- column usd_total [US$]: all of them; null where tokens or time have no price
-- column share [share]: of the run's total; null where that is not known
-- source: Ehrlich et al. 2025, arXiv 2501.14723 (CodeMonkeys), the table of costs by stage
WITH priced AS (
    SELECT
        p.*,
        row_number() OVER (PARTITION BY p.model_id ORDER BY p.valid_from DESC, p.price_id DESC) AS newest
    FROM analytics.prices AS p
    WHERE p.valid_from <= $price_day
),

summed AS (
    SELECT
        run_id,
        stage,
        model_id,
        min(stage_cost_id) AS place,
        coalesce(sum(requests), 0) AS requests,
        coalesce(sum(input_tokens), 0) AS input_tokens,
        coalesce(sum(cached_input_tokens), 0) AS cached_input_tokens,
        coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens,
        coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(gpu_seconds), 0) AS gpu_seconds,
        coalesce(sum(usd), 0) AS billed_usd
    FROM analytics.stage_costs
    GROUP BY run_id, stage, model_id
),

dollars AS (
    SELECT
        s.run_id,
        s.stage,
        s.model_id,
        s.place,
        s.requests,
        CASE WHEN s.input_tokens = 0 THEN 0 ELSE s.input_tokens * c.input_usd_per_mtok / 1e6 END AS input_usd,
        CASE
            WHEN s.cached_input_tokens = 0 THEN 0 ELSE s.cached_input_tokens * c.cached_input_usd_per_mtok / 1e6
        END AS cache_read_usd,
        CASE
            WHEN s.cache_write_tokens = 0 THEN 0 ELSE s.cache_write_tokens * c.cache_write_usd_per_mtok / 1e6
        END AS cache_write_usd,
        CASE WHEN s.output_tokens = 0 THEN 0 ELSE s.output_tokens * c.output_usd_per_mtok / 1e6 END AS output_usd,
        CASE
            WHEN s.reasoning_tokens = 0 THEN 0 ELSE s.reasoning_tokens * c.reasoning_usd_per_mtok / 1e6
        END AS reasoning_usd,
        s.requests * coalesce(c.request_usd, 0) AS request_usd,
        CASE WHEN s.gpu_seconds = 0 THEN 0 ELSE s.gpu_seconds / 3600 * c.gpu_hour_usd END AS gpu_usd,
        s.billed_usd
    FROM summed AS s
    LEFT JOIN priced AS c ON s.model_id = c.model_id AND c.newest = 1
),

totals AS (
    SELECT
        *,
        input_usd + cache_read_usd + cache_write_usd + output_usd + reasoning_usd + request_usd + gpu_usd + billed_usd
            AS usd_total
    FROM dollars
)

SELECT
    r.run,
    t.stage,
    m.model,
    CAST(t.requests AS BIGINT) AS requests,
    CAST(t.input_usd AS DOUBLE PRECISION) AS input_usd,
    CAST(t.cache_read_usd AS DOUBLE PRECISION) AS cache_read_usd,
    CAST(t.cache_write_usd AS DOUBLE PRECISION) AS cache_write_usd,
    CAST(t.output_usd AS DOUBLE PRECISION) AS output_usd,
    CAST(t.reasoning_usd AS DOUBLE PRECISION) AS reasoning_usd,
    CAST(t.request_usd AS DOUBLE PRECISION) AS request_usd,
    CAST(t.gpu_usd AS DOUBLE PRECISION) AS gpu_usd,
    CAST(t.billed_usd AS DOUBLE PRECISION) AS billed_usd,
    CAST(t.usd_total AS DOUBLE PRECISION) AS usd_total,
    CASE
        WHEN count(*) OVER (PARTITION BY t.run_id) = count(t.usd_total) OVER (PARTITION BY t.run_id)
            THEN CAST(t.usd_total / nullif(sum(t.usd_total) OVER (PARTITION BY t.run_id), 0) AS DOUBLE PRECISION)
    END AS share
FROM totals AS t
INNER JOIN analytics.runs AS r ON t.run_id = r.run_id
LEFT JOIN analytics.models AS m ON t.model_id = m.model_id
WHERE r.run_id = ANY($run_ids)
ORDER BY r.run_id, t.place
