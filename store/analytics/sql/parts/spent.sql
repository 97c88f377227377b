WITH chosen AS (
    SELECT
        unnest($run_ids) AS run_id,
        unnest($verifier_ids) AS verifier_id,
        $prompt_per = 'sample' AS whole,
        $verifier_priced = 'yes' AS judging_paid
),

sheets AS (
    SELECT
        p.*,
        row_number() OVER (PARTITION BY p.model_id ORDER BY p.valid_from DESC, p.price_id DESC) AS newest
    FROM analytics.prices AS p
    WHERE p.valid_from <= $price_day
),

judging AS (
    SELECT
        j.run_id,
        j.problem_id,
        j.correct,
        j.samples,
        (
            (j.prompt_tokens - j.cached_prompt_tokens) * p.input_usd_per_mtok
            + j.cached_prompt_tokens * p.cached_input_usd_per_mtok
            + (j.completion_tokens - j.reasoning_tokens) * p.output_usd_per_mtok
            + j.reasoning_tokens * p.reasoning_usd_per_mtok
        ) / 1e6
        + j.requests * p.request_usd
        + j.gpu_seconds / 3600 * coalesce(p.gpu_hour_usd, 0) AS usd
    FROM chosen AS h
    INNER JOIN analytics.judging_costs AS j ON h.run_id = j.run_id AND h.verifier_id = j.verifier_id
    LEFT JOIN sheets AS p ON j.model_id = p.model_id AND p.newest = 1
),

judged AS (
    SELECT
        run_id,
        problem_id,
        sum(usd) AS usd,
        sum(CASE WHEN correct THEN usd ELSE 0 END) AS correct_usd,
        sum(CASE WHEN correct IS NULL THEN usd ELSE 0 END) AS undecided_usd,
        sum(CASE WHEN usd IS NULL THEN 1 ELSE 0 END) AS unpriced,
        sum(samples) AS samples
    FROM judging
    GROUP BY run_id, problem_id
),

paid AS (
    SELECT
        t.*,
        h.judging_paid,
        CASE WHEN h.whole THEN t.whole_prompt_tokens ELSE t.prompt_tokens END AS read,
        CASE WHEN h.whole THEN t.whole_cached_prompt_tokens ELSE t.cached_prompt_tokens END AS cached,
        CASE WHEN h.whole THEN t.whole_cache_write_tokens ELSE t.cache_write_tokens END AS written,
        CASE WHEN h.whole THEN t.samples ELSE t.requests END AS asked,
        CASE WHEN h.whole THEN t.whole_prompt_squares ELSE t.prompt_squares END AS squares
    FROM chosen AS h
    INNER JOIN analytics.token_counts AS t ON h.run_id = t.run_id AND h.verifier_id = t.verifier_id
    INNER JOIN analytics.problems AS q ON t.problem_id = q.problem_id
    WHERE $quarantined = 'include' OR NOT q.quarantined
),

summed AS (
    SELECT
        t.run_id,
        t.problem_id,
        t.judging_paid,
        sum(t.samples) AS n,
        sum(CASE WHEN t.correct THEN t.samples ELSE 0 END) AS c,
        sum(t.with_tokens) AS with_tokens,
        sum(t.read) AS prompt_tokens,
        sum(t.cached) AS cached_prompt_tokens,
        sum(t.completion_tokens) AS completion_tokens,
        sum(t.written) AS cache_write_tokens,
        sum(t.reasoning_tokens) AS reasoning_tokens,
        sum(t.asked) AS requests,
        sum(t.gpu_seconds) AS gpu_seconds,
        sum(t.with_gpu) AS with_gpu,
        sum(t.squares) AS prompt_squares,
        sum(t.completion_squares) AS completion_squares,
        sum(t.token_products) AS token_products,
        sum(CASE WHEN t.correct THEN t.read ELSE 0 END) AS correct_prompt_tokens,
        sum(CASE WHEN t.correct THEN t.cached ELSE 0 END) AS correct_cached_prompt_tokens,
        sum(CASE WHEN t.correct THEN t.completion_tokens ELSE 0 END) AS correct_completion_tokens,
        sum(CASE WHEN t.correct THEN t.written ELSE 0 END) AS correct_cache_write_tokens,
        sum(CASE WHEN t.correct THEN t.reasoning_tokens ELSE 0 END) AS correct_reasoning_tokens,
        sum(CASE WHEN t.correct THEN t.asked ELSE 0 END) AS correct_requests,
        sum(CASE WHEN t.correct THEN t.gpu_seconds ELSE 0 END) AS correct_gpu_seconds
    FROM paid AS t
    GROUP BY t.run_id, t.problem_id, t.judging_paid
)

SELECT
    s.*,
    j.usd AS judging_usd,
    j.unpriced AS judging_unpriced,
    j.samples AS judged_at_cost,
    CASE WHEN s.judging_paid THEN j.usd ELSE 0 END AS paid_judging_usd,
    CASE WHEN s.judging_paid THEN j.correct_usd + j.undecided_usd * s.c / s.n ELSE 0 END AS correct_paid_judging_usd
FROM summed AS s
LEFT JOIN judged AS j ON s.run_id = j.run_id AND s.problem_id = j.problem_id
ORDER BY s.run_id, s.problem_id
