-- title: Coverage and what is not known
-- question: Between what does coverage lie, whatever the undecided and unjudged samples would turn out to be?
-- grain: one row per run and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column k [samples]: samples per problem
-- column lower [share]: coverage if every undecided sample were wrong
-- column at_random [share]: coverage of the decided samples: right where verdicts are missing at random
-- column upper [share]: coverage if every undecided sample were correct
-- column low [share]: lower end of the 95 % interval of lower
-- column high [share]: upper end of the 95 % interval of upper
-- column undecided [samples]: samples the verifier could not decide
-- column unjudged [samples]: samples drawn that it has not judged; counted as undecided here
-- column problems [problems]: problems this verifier judged
-- source: worst-case bounds; unbiased pass@k of Chen et al. 2021, arXiv 2107.03374, at each end
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT
    p.run_id,
    p.problem_id,
    p.n,
    p.c,
    p.undecided,
    greatest(coalesce(s.samples, 0) - p.n - p.undecided, 0) AS unjudged
FROM chosen AS h
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
LEFT JOIN analytics.sample_counts AS s ON p.run_id = s.run_id AND p.problem_id = s.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY p.run_id, p.problem_id
