"""How well two scores tell right from wrong in the demo's run: the reward model's, and the likelihood that the language
model gave its own completion, which is stored with every sample. No sample is drawn again.

    python examples/arithmetic/scores.py [--run demo]        # after `make demo`, with the same PASSATK_HOME

Pairs: of each problem every right sample against every wrong one, by the chain check; how often the right one scores
higher (ties count half), averaged over problems. Best of k: the share of problems whose highest-scored of k samples is
right, exactly, over all choices of k of those that are stored.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from math import comb

from store.connection import driver, transaction

QUERY = b"""
    SELECT s.problem_id, reference.outcome = 'correct', reward.score, s.cumulative_logprob
    FROM analytics.runs AS r
    JOIN analytics.samples AS s ON s.run_id = r.run_id
    JOIN analytics.verdicts AS reference
        ON (reference.run_id, reference.problem_id, reference.sample_index, reference.verifier_id)
        = (s.run_id, s.problem_id, s.sample_index, r.reference_verifier_id)
    JOIN analytics.verdicts AS reward
        ON (reward.run_id, reward.problem_id, reward.sample_index) = (s.run_id, s.problem_id, s.sample_index)
    JOIN analytics.verifiers AS v ON v.verifier_id = reward.verifier_id AND v.verifier = 'reward'
    WHERE r.run = %s AND reference.attempt = 0 AND reward.attempt = 0
        AND reference.outcome <> 'undecided' AND reward.score IS NOT NULL AND s.cumulative_logprob IS NOT NULL
"""

Scored = Sequence[tuple[float, bool]]
"""The score and whether it is right, of each sample of a problem."""


def pair_share(scored: Scored) -> float | None:
    """How often a right sample scores above a wrong one; None where all are right or all are wrong."""
    right = [score for score, correct in scored if correct]
    wrong = [score for score, correct in scored if not correct]
    if not right or not wrong:
        return None
    return sum((a > b) + 0.5 * (a == b) for a in right for b in wrong) / (len(right) * len(wrong))


def best_of(scored: Scored, k: int) -> float:
    """The chance that the highest-scored of k samples, drawn without replacement, is right; of equals any may be it."""
    ordered = sorted(scored, key=lambda one: one[0])
    chance, below = 0.0, 0
    for _, same in groupby(ordered, key=lambda one: one[0]):
        tied = [correct for _, correct in same]
        highest_here = comb(below + len(tied), k) - comb(below, k)
        chance += highest_here * sum(tied) / len(tied)
        below += len(tied)
    return chance / comb(len(scored), k)


def main() -> None:
    """Print a line for each score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="demo")
    name = parser.parse_args().run
    by_problem: dict[str, dict[int, list[tuple[float, bool]]]] = defaultdict(lambda: defaultdict(list))
    with transaction() as connection:
        for problem, right, reward, likelihood in driver(connection).execute(QUERY, [name]):
            by_problem["reward model"][problem].append((reward, right))
            by_problem["own likelihood"][problem].append((likelihood, right))
    if not by_problem:
        raise SystemExit(f"Run {name} has no samples with a verdict, a reward and a likelihood: `make demo` makes one.")
    fewest = min(len(scored) for scored in by_problem["reward model"].values())
    budgets = [k for k in (1, 10, 100, 200) if k <= fewest]
    print("score           pairs   " + "  ".join(f"best of {k:<3}" for k in budgets))
    for label, problems in by_problem.items():
        shares = [share for scored in problems.values() if (share := pair_share(scored)) is not None]
        picked = "  ".join(
            f"{sum(best_of(one, k) for one in problems.values()) / len(problems):11.1%}" for k in budgets
        )
        print(f"{label:<14} {sum(shares) / len(shares):6.1%} {picked}")


if __name__ == "__main__":
    main()
