-- title: One sample
-- question: What was the model given, what did it write, and how was it drawn?
-- grain: one row, the sample
-- parameter run (text): name of a run
-- parameter problem (text): name of a problem
-- parameter sample_index (integer): 0-based index of the sample
-- parameter price_day (text, default the day of the snapshot): day (YYYY-MM-DD) whose price sheet is used
-- column run: run
-- column problem: the benchmark's own name for the problem
-- column sample_index: 0-based index in its run and problem
-- column prompt: text given to the model, as it was rendered where that is kept
-- column system_prompt: system message of a chat model; null without one
-- column completion: text the model wrote
-- column reference_answer: known right answer, where there is one
-- column model: model
-- column engine: engine and version that drew it; null when drawn elsewhere
-- column device: cpu, or the GPU's name
-- column worker: worker that drew it; null when drawn elsewhere
-- column host: host of the worker
-- column imported_from: file and place in it, where it was drawn elsewhere
-- column seed: seed; null when drawn elsewhere
-- column request_samples [samples]: samples that shared the request and its prompt
-- column prompt_tokens [tokens]: tokens of the prompt
-- column cached_prompt_tokens [tokens]: of them from the prefix cache
-- column completion_tokens [tokens]: length of the completion
-- column reasoning_tokens [tokens]: of them hidden reasoning
-- column finish_reason: stop, length or abort
-- column cumulative_logprob: natural log-probability of the completion
-- column latency_seconds [s]: seconds from asking to the last token
-- column queue_seconds [s]: of them waiting in the engine
-- column prefill_seconds [s]: of them until the first token
-- column decode_seconds [s]: of them from the first token to the last
-- column gpu_seconds [s]: its share of the device time
-- column usd [US$]: what drawing it cost, its share of the prompt and the request included; null where not known
-- column priced_from: first day of the price sheet in force; null where the model has none
-- column sampling: sampling parameters of the run, as JSON text
-- column same_completion [samples]: samples of the problem in this run with the very same completion, itself included
-- column created_at: when it was written
-- column batch_id: batch that wrote it
-- source: segments of the snapshot
WITH sheets AS (
    SELECT
        p.*,
        greatest(
            p.input_usd_per_mtok,
            p.cached_input_usd_per_mtok,
            p.cache_write_usd_per_mtok,
            p.output_usd_per_mtok,
            p.reasoning_usd_per_mtok
        ) > 0 AS by_token,
        row_number() OVER (PARTITION BY p.model_id ORDER BY p.valid_from DESC, p.price_id DESC) AS newest
    FROM analytics.prices AS p
    WHERE p.valid_from <= $price_day
)

SELECT
    r.run,
    q.problem,
    s.sample_index,
    coalesce(
        (
            SELECT rendered.prompt FROM analytics.prompts AS rendered
            WHERE rendered.run_id = $run_id AND rendered.problem_id = $problem_id
            ORDER BY rendered.created_at DESC, rendered.prompt_hash
            LIMIT 1
        ),
        replace(r.prompt_template, '{prompt}', q.prompt)
    ) AS prompt,
    r.system_prompt,
    c.completion,
    q.reference_answer,
    m.model,
    e.engine || ' ' || e.engine_version AS engine,
    e.device,
    w.name AS worker,
    w.host,
    i.file || coalesce(', ' || o.locator, '') AS imported_from,
    s.seed,
    s.request_samples,
    s.prompt_tokens,
    s.cached_prompt_tokens,
    s.completion_tokens,
    s.reasoning_tokens,
    s.finish_reason,
    CAST(s.cumulative_logprob AS DOUBLE) AS cumulative_logprob,
    CAST(s.latency_seconds AS DOUBLE) AS latency_seconds,
    CAST(s.queue_seconds AS DOUBLE) AS queue_seconds,
    CAST(s.prefill_seconds AS DOUBLE) AS prefill_seconds,
    CAST(s.decode_seconds AS DOUBLE) AS decode_seconds,
    CAST(s.gpu_seconds AS DOUBLE) AS gpu_seconds,
    CAST(
        CASE
            WHEN p.by_token
                THEN
                    (
                        (
                            (s.prompt_tokens - coalesce(s.cached_prompt_tokens, 0) - coalesce(s.cache_write_tokens, 0))
                            * p.input_usd_per_mtok
                            + coalesce(s.cached_prompt_tokens, 0) * p.cached_input_usd_per_mtok
                            + coalesce(s.cache_write_tokens, 0) * p.cache_write_usd_per_mtok
                        ) / greatest(coalesce(s.request_samples, 1), 1)
                        + (s.completion_tokens - coalesce(s.reasoning_tokens, 0)) * p.output_usd_per_mtok
                        + coalesce(s.reasoning_tokens, 0) * p.reasoning_usd_per_mtok
                    ) / 1e6
            ELSE 0
        END
        + p.request_usd / greatest(coalesce(s.request_samples, 1), 1)
        -- Unknown device time is free beside other prices; where nothing else is paid, the cost is not known.
        + CASE
            WHEN coalesce(p.gpu_hour_usd, 0) = 0 THEN 0
            WHEN p.by_token OR p.request_usd > 0 THEN coalesce(s.gpu_seconds, 0) / 3600 * p.gpu_hour_usd
            ELSE s.gpu_seconds / 3600 * p.gpu_hour_usd
        END AS DOUBLE PRECISION
    ) AS usd,
    p.valid_from AS priced_from,
    r.sampling,
    (
        SELECT count(*) FROM analytics.samples AS other
        WHERE other.run_id = $run_id AND other.problem_id = $problem_id AND other.completion_hash = s.completion_hash
    ) AS same_completion,
    s.created_at,
    s.batch_id
FROM analytics.samples AS s
INNER JOIN analytics.runs AS r ON s.run_id = r.run_id
INNER JOIN analytics.models AS m ON r.model_id = m.model_id
INNER JOIN analytics.problems AS q ON s.problem_id = q.problem_id
LEFT JOIN sheets AS p ON r.model_id = p.model_id AND p.newest = 1
LEFT JOIN analytics.engines AS e ON s.engine_id = e.engine_id
LEFT JOIN analytics.workers AS w ON s.worker_id = w.worker_id
LEFT JOIN (
    SELECT import_id, locator FROM analytics.sample_sources
    WHERE run_id = $run_id AND problem_id = $problem_id AND sample_index = $sample_index
) AS o ON true
LEFT JOIN analytics.imports AS i ON o.import_id = i.import_id
LEFT JOIN (
    SELECT completion FROM analytics.completions
    WHERE run_id = $run_id AND problem_id = $problem_id AND sample_index = $sample_index
) AS c ON true
WHERE s.run_id = $run_id AND s.problem_id = $problem_id AND s.sample_index = $sample_index
