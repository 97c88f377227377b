-- title: Selection accuracy
-- question: How often is the answer that most of k samples give the right one?
-- grain: one row per run, selection method and k
-- parameter run (texts): names of runs
-- parameter verifier (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier that judges
-- parameter answers_from (text, default the verifier itself or the only one with answers): verifier whose answers are voted on
-- parameter k (integers, default the shared lattice up to n): samples per problem
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: verifier taken as ground truth, NAME@VERSION
-- column method: how one of k samples is picked: majority_vote
-- column answers_from: verifier whose normalised answers are voted on
-- column k [samples]: budget per problem
-- column selection_accuracy [share]: mean over problems of the chance that the most frequent answer of k samples is correct, ties split evenly; null where a problem has fewer than k samples
-- column low [share]: lower end of the 95 % interval over problems (Wilson, effective n)
-- column high [share]: upper end of it
-- column coverage [share]: coverage of the same samples, the ceiling of every selection
-- column problems [problems]: problems with votes
-- column plateau [share]: the limit for k to infinity: problems whose most frequent answer is correct
-- source: Brown et al. 2024, arXiv 2407.21787, section 4; exact expectation over k-subsets
WITH chosen AS (
    SELECT
        unnest($run_ids) AS run_id,
        unnest($verifier_ids) AS verifier_id,
        unnest($answers_from_ids) AS answers_from_id
)

SELECT g.run_id, g.problem_id, g.answer, g.samples, g.correct
FROM chosen AS h
INNER JOIN analytics.answer_groups AS g
    ON h.run_id = g.run_id AND h.verifier_id = g.verifier_id AND h.answers_from_id = g.answers_from_id
INNER JOIN analytics.problems AS q ON g.problem_id = q.problem_id
WHERE $quarantined = 'include' OR NOT q.quarantined
ORDER BY g.run_id, g.problem_id, g.samples DESC, g.answer
