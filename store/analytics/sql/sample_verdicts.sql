-- title: Verdicts on one sample
-- question: What did every verifier say about a sample?
-- grain: one row per verifier and attempt
-- parameter run (text): name of a run
-- parameter problem (text): name of a problem
-- parameter sample_index (integer): 0-based index of the sample
-- column verifier: NAME@VERSION
-- column is_reference: whether it is the run's reference verifier
-- column attempt: 0 for the first judgement
-- column outcome: correct, incorrect or undecided
-- column reason: why it is not correct
-- column answer: normalised final answer
-- column answer_class: answer that stands for all equivalent ones; null: the answer itself
-- column score: number given by a scoring verifier
-- column seconds [s]: seconds the judgement took
-- column detail: failing test, expected and got, stderr tail, limits, as JSON text
-- column weak: whether it rests on weaker evidence than the verifier's rule asks for; null where that cannot be
-- column tier: sandbox tier it was judged in; null when unknown
-- column environment: versions of interpreter, kernel, tools and libraries, as JSON text
-- column options: limits and options of the verifier, as JSON text
-- column created_at: when it was written
-- source: segments of the snapshot
WITH labels AS (
    SELECT
        verifier_id,
        options,
        verifier || '@' || version
        || CASE WHEN count(*) OVER (PARTITION BY verifier, version) > 1 THEN '#' || verifier_id ELSE '' END AS label
    FROM analytics.verifiers
)

SELECT
    l.label AS verifier,
    coalesce(v.verifier_id = r.reference_verifier_id, false) AS is_reference,
    v.attempt,
    v.outcome,
    v.reason,
    v.answer,
    v.answer_class,
    CAST(v.score AS DOUBLE) AS score,
    CAST(v.seconds AS DOUBLE) AS seconds,
    o.detail,
    v.weak,
    e.tier,
    e.detail AS environment,
    l.options,
    v.created_at
FROM analytics.verdicts AS v
INNER JOIN analytics.runs AS r ON v.run_id = r.run_id
INNER JOIN labels AS l ON v.verifier_id = l.verifier_id
LEFT JOIN analytics.environments AS e ON v.environment_id = e.environment_id
LEFT JOIN (
    SELECT verifier_id, attempt, detail FROM analytics.verifier_outputs
    WHERE run_id = $run_id AND problem_id = $problem_id AND sample_index = $sample_index
) AS o ON v.verifier_id = o.verifier_id AND v.attempt = o.attempt
WHERE v.run_id = $run_id AND v.problem_id = $problem_id AND v.sample_index = $sample_index
ORDER BY is_reference DESC, verifier, v.attempt
