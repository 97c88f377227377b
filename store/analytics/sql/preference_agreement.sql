-- title: Judges of pairs
-- question: Does a judge say the same of a swapped pair, favour what it sees first, and prefer what is correct?
-- grain: one row per run and judge
-- parameter run (texts): names of runs
-- parameter reference (text, default the run's reference verifier): NAME or NAME@VERSION of the verifier taken as the truth
-- parameter quarantined (include|exclude, default include): whether problems that are set aside count
-- column run: run
-- column verifier: judge that compared pairs, NAME@VERSION
-- column reference: verifier taken as the truth, NAME@VERSION
-- column pairs [pairs]: pairs of samples judged in both orders
-- column consistent [share]: of them, those of which both orders say the same
-- column consistent_low [share]: lower end of the 95 % interval of it, robust to dependence inside a problem
-- column consistent_high [share]: upper end of it
-- column first_wins [share]: judgements with a winner that prefer the sample shown first; 0.5 means no position bias
-- column first_wins_low [share]: lower end of its 95 % interval
-- column first_wins_high [share]: upper end of it
-- column mixed_pairs [pairs]: pairs judged in both orders of which the reference calls exactly one sample correct
-- column correct_wins [share]: of them, how often the correct sample is preferred; a tie, and a pair whose orders disagree, counts half
-- column correct_wins_low [share]: lower end of its 95 % interval
-- column correct_wins_high [share]: upper end of it
-- column undecided [judgements]: judgements that broke; in none of the shares
-- column problems [problems]: problems with pairs judged in both orders
-- source: position swap of Zheng et al. 2023, arXiv 2306.05685; intervals of Miller 2024, arXiv 2411.00640
WITH chosen AS (
    SELECT unnest($run_ids) AS run_id, unnest($reference_ids) AS reference_id
),

-- said: 1 for the sample shown first, -1 for the other, 0 for a tie, null when the judge broke.
shown AS (
    SELECT
        p.run_id,
        h.reference_id,
        p.verifier_id,
        p.problem_id,
        least(p.first_index, p.second_index) AS lower_index,
        greatest(p.first_index, p.second_index) AS upper_index,
        p.first_index < p.second_index AS in_order,
        CASE p.winner WHEN 'first' THEN 1 WHEN 'second' THEN -1 WHEN 'tie' THEN 0 END AS said
    FROM chosen AS h
    INNER JOIN analytics.preferences AS p ON h.run_id = p.run_id
    INNER JOIN analytics.problems AS q ON p.problem_id = q.problem_id
    WHERE $quarantined = 'include' OR NOT q.quarantined
),

pairs AS (
    SELECT
        run_id,
        reference_id,
        verifier_id,
        problem_id,
        lower_index,
        upper_index,
        sign(avg(said) FILTER (WHERE in_order)) AS forwards,
        sign(-avg(said) FILTER (WHERE NOT in_order)) AS backwards,
        count(*) FILTER (WHERE said = 1) AS first_wins,
        count(*) FILTER (WHERE said <> 0) AS with_winner,
        count(*) FILTER (WHERE said IS NULL) AS undecided
    FROM shown
    GROUP BY ALL
),

truth AS (
    SELECT
        v.run_id,
        v.problem_id,
        v.sample_index,
        sign(sum(CASE v.outcome WHEN 'correct' THEN 1 WHEN 'incorrect' THEN -1 ELSE 0 END)) AS side
    FROM chosen AS h
    INNER JOIN analytics.verdicts AS v ON h.run_id = v.run_id AND h.reference_id = v.verifier_id
    GROUP BY v.run_id, v.problem_id, v.sample_index
)

SELECT
    p.run_id,
    p.verifier_id,
    p.problem_id,
    p.forwards,
    p.backwards,
    p.first_wins,
    p.with_winner,
    p.undecided,
    coalesce(a.side, 0) - coalesce(b.side, 0) AS lead
FROM pairs AS p
LEFT JOIN truth AS a ON p.run_id = a.run_id AND p.problem_id = a.problem_id AND p.lower_index = a.sample_index
LEFT JOIN truth AS b ON p.run_id = b.run_id AND p.problem_id = b.problem_id AND p.upper_index = b.sample_index
ORDER BY p.run_id, p.verifier_id, p.problem_id, p.lower_index, p.upper_index
