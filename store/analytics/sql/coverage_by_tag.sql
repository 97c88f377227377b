-- title: Coverage by tag
-- question: On which kinds of problems does a run succeed: by subject, level, repository?
-- grain: one row per run, tag and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter k (integers, default the least and the most that every problem has): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column tag: word that the benchmark files the problems under; a problem may be under several, and counts under each
-- column k [samples]: samples per problem
-- column coverage [share]: mean over the problems with the tag of unbiased pass@k; null where one has fewer than k judged samples
-- column low [share]: lower end of the 95 % interval over problems (Wilson, effective n), undecided samples left out
-- column high [share]: upper end of it
-- column problems [problems]: problems with the tag that this verifier judged
-- column solved [problems]: of them with at least one correct sample
-- column n_min [samples]: fewest judged samples of a problem with the tag
-- column undecided [samples]: samples the verifier could not decide; they are left out of n
-- source: Chen et al. 2021, arXiv 2107.03374, within the tags of the benchmark's own records
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($verifier_ids) AS verifier_id
)

SELECT
    p.run_id,
    p.problem_id,
    unnest(from_json(q.tags, '["VARCHAR"]')) AS tag,
    p.n,
    p.c,
    p.undecided
FROM chosen AS h
INNER JOIN analytics.problem_counts AS p ON h.run_id = p.run_id AND h.verifier_id = p.verifier_id
INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY p.run_id, tag, p.problem_id
