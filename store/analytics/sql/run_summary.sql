-- title: Runs
-- question: What runs are there, how far are they, and what came out?
-- grain: one row per run
-- column run_id: key
-- column run: name
-- column benchmark: NAME@VERSION of the benchmark
-- column model: model
-- column source: generated or imported
-- column design: sampling design
-- column temperature: sampling temperature; null when unknown
-- column samples_per_problem [samples]: samples wanted for each problem; null when imported
-- column problems [problems]: problems of the benchmark
-- column samples [samples]: samples drawn
-- column n_min [samples]: fewest samples of a problem that the reference verifier decided; null when it judged none
-- column n_max [samples]: most
-- column reference: NAME@VERSION of the reference verifier; null when the run has none
-- column judged [samples]: samples the reference verifier decided
-- column correct [samples]: of them correct
-- column undecided [samples]: samples it could not decide
-- column pass_at_1 [share]: coverage at k = 1
-- column coverage_at_n [share]: coverage at k = n_min
-- column spent_usd [US$]: cost of all samples at the price of the snapshot's day; null without a price or token counts
-- column completion_tokens [tokens]: completion tokens of all samples; null when unknown
-- column truncated [samples]: samples that ended at the longest length allowed
-- column last_written_at: when samples or verdicts were last written
-- column state: cancelled, paused, open (work is left) or complete
-- source: contract views and tallies of the snapshot
WITH labels AS (
    SELECT
        verifier_id,
        verifier || '@' || version
        || CASE WHEN count(*) OVER (PARTITION BY verifier, version) > 1 THEN '#' || verifier_id ELSE '' END AS label
    FROM analytics.verifiers
),

drawn AS (
    SELECT
        run_id,
        sum(samples) AS samples,
        sum(with_tokens) AS with_tokens,
        sum(prompt_tokens) AS prompt_tokens,
        sum(cached_prompt_tokens) AS cached_prompt_tokens,
        sum(completion_tokens) AS completion_tokens,
        sum(truncated) AS truncated
    FROM analytics.sample_counts
    GROUP BY run_id
),

spread AS (
    SELECT
        r.run_id,
        min(p.n) AS n_min,
        max(p.n) AS n_max,
        sum(p.n) AS judged,
        sum(p.c) AS correct,
        sum(p.undecided) AS undecided
    FROM analytics.runs AS r
    INNER JOIN analytics.problem_counts AS p ON r.run_id = p.run_id AND r.reference_verifier_id = p.verifier_id
    GROUP BY r.run_id
),

solved AS (
    SELECT
        r.run_id,
        CASE WHEN min(s.n_min) >= 1 THEN avg(analytics.pass_at_k(p.n, p.c, 1)) END AS pass_at_1,
        CASE WHEN min(s.n_min) >= 1 THEN avg(analytics.pass_at_k(p.n, p.c, s.n_min)) END AS coverage_at_n
    FROM analytics.runs AS r
    INNER JOIN spread AS s ON r.run_id = s.run_id
    INNER JOIN analytics.problem_counts AS p ON r.run_id = p.run_id AND r.reference_verifier_id = p.verifier_id
    GROUP BY r.run_id
),

work AS (
    SELECT
        run_id,
        max(done_at) AS last_written_at,
        sum(CASE WHEN state <> 'done' AND state <> 'cancelled' THEN 1 ELSE 0 END) AS batches_left
    FROM analytics.batches
    GROUP BY run_id
),

priced AS (
    SELECT
        p.*,
        row_number() OVER (PARTITION BY p.model_id ORDER BY p.valid_from DESC, p.price_id DESC) AS newest
    FROM analytics.prices AS p
    WHERE p.valid_from <= $price_day
)

SELECT
    r.run_id,
    r.run,
    b.benchmark || '@' || b.version AS benchmark,
    m.model,
    r.source,
    r.design,
    r.temperature,
    r.samples_per_problem,
    b.problem_count AS problems,
    CAST(coalesce(d.samples, 0) AS BIGINT) AS samples,
    s.n_min,
    s.n_max,
    l.label AS reference,
    CAST(coalesce(s.judged, 0) AS BIGINT) AS judged,
    CAST(coalesce(s.correct, 0) AS BIGINT) AS correct,
    CAST(coalesce(s.undecided, 0) AS BIGINT) AS undecided,
    v.pass_at_1,
    v.coverage_at_n,
    CASE WHEN d.with_tokens = d.samples THEN (
        (d.prompt_tokens - d.cached_prompt_tokens) * c.input_usd_per_mtok
        + d.cached_prompt_tokens * c.cached_input_usd_per_mtok
        + d.completion_tokens * c.output_usd_per_mtok
    ) / 1e6 END AS spent_usd,
    CAST(d.completion_tokens AS BIGINT) AS completion_tokens,
    CAST(coalesce(d.truncated, 0) AS BIGINT) AS truncated,
    w.last_written_at,
    CASE
        WHEN r.state <> 'open' THEN r.state
        WHEN
            w.batches_left > 0
            OR coalesce(d.samples, 0) < coalesce(r.samples_per_problem, 0) * b.problem_count THEN 'open'
        ELSE 'complete'
    END AS state
FROM analytics.runs AS r
INNER JOIN analytics.benchmarks AS b ON r.benchmark_id = b.benchmark_id
INNER JOIN analytics.models AS m ON r.model_id = m.model_id
LEFT JOIN labels AS l ON r.reference_verifier_id = l.verifier_id
LEFT JOIN drawn AS d ON r.run_id = d.run_id
LEFT JOIN spread AS s ON r.run_id = s.run_id
LEFT JOIN solved AS v ON r.run_id = v.run_id
LEFT JOIN work AS w ON r.run_id = w.run_id
LEFT JOIN priced AS c ON r.model_id = c.model_id AND c.newest = 1
ORDER BY r.run_id
