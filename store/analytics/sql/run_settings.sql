-- title: Settings of the runs
-- question: With what model, prompt, sampling parameters, verifier and price was a run made?
-- grain: one row per run
-- parameter run (texts, default none): names of runs; every run when not given
-- column run: run
-- column benchmark: NAME@VERSION of the benchmark
-- column model: model
-- column location: folder or hub name the engine loads
-- column backend: engine that serves it, or none for samples drawn elsewhere
-- column adapter: LoRA adapter the model is served with
-- column source: generated or imported
-- column design: sampling design
-- column stopping_rule: when sampling of a problem ends
-- column samples_per_problem [samples]: samples wanted for each problem; null when imported
-- column temperature: sampling temperature; null when unknown
-- column top_p: nucleus sampling mass
-- column top_k: top-k; 0 is off
-- column max_tokens [tokens]: longest completion
-- column sampling: all sampling parameters, as JSON text
-- column prompt_template: what the model is given around the problem's prompt
-- column system_prompt: system message of a chat model
-- column prompting: how prompts are made, as JSON text
-- column reference: reference verifier
-- column input_usd_per_mtok [US$]: price of a million prompt tokens on the snapshot's day; null without a price
-- column output_usd_per_mtok [US$]: price of a million completion tokens
-- column gpu_hour_usd [US$]: price of a GPU hour; null when not paid by time
-- column price_from: first day of that price
-- column tags: words people file the run under, as JSON text
-- column provenance: of an import: file, hash, cutting, as JSON text
-- column fingerprint: sha256 over everything that changes a sample
-- column created_at: when the run was created
-- source: contract views
WITH labels AS (
    SELECT
        verifier_id,
        verifier || '@' || version
        || CASE WHEN count(*) OVER (PARTITION BY verifier, version) > 1 THEN '#' || verifier_id ELSE '' END AS label
    FROM analytics.verifiers
),

priced AS (
    SELECT
        p.*,
        row_number() OVER (PARTITION BY p.model_id ORDER BY p.valid_from DESC, p.price_id DESC) AS newest
    FROM analytics.prices AS p
    WHERE p.valid_from <= $price_day
)

SELECT
    r.run,
    b.benchmark || '@' || b.version AS benchmark,
    m.model,
    m.location,
    m.backend,
    r.adapter,
    r.source,
    r.design,
    r.stopping_rule,
    r.samples_per_problem,
    r.temperature,
    r.top_p,
    r.top_k,
    r.max_tokens,
    r.sampling,
    r.prompt_template,
    r.system_prompt,
    r.prompting,
    l.label AS reference,
    p.input_usd_per_mtok,
    p.output_usd_per_mtok,
    p.gpu_hour_usd,
    p.valid_from AS price_from,
    r.tags,
    r.provenance,
    r.fingerprint,
    r.created_at
FROM analytics.runs AS r
INNER JOIN analytics.benchmarks AS b ON r.benchmark_id = b.benchmark_id
INNER JOIN analytics.models AS m ON r.model_id = m.model_id
LEFT JOIN labels AS l ON r.reference_verifier_id = l.verifier_id
LEFT JOIN priced AS p ON r.model_id = p.model_id AND p.newest = 1
WHERE r.run_id = ANY($run_ids)
ORDER BY r.run_id
