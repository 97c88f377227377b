"""How well one of many samples is picked, and how far verifiers can be trusted.

One typed function a catalogued query; docs/sql/queries.md describes every parameter and column.
Every function takes a snapshot first and returns a Result: `.rows`, `.arrow()`, `.pandas()`, `.polars()`, `.notes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from store.analytics.asking import Budgets, Names
    from store.analytics.result import Result
    from store.analytics.snapshot import Snapshot


def selection(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    answers_from: str | None = None,
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How often is the answer that most of k samples give the right one? One row per run, selection method and k."""
    return snapshot.query(
        "selection", run=run, verifier=verifier, answers_from=answers_from, k=k, quarantined=quarantined
    )


def best_of_k(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    scores_from: str | None = None,
    steps: Literal["verdict", "last", "min", "mean", "product"] = "verdict",
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How often is the sample that a scoring verifier likes best of k the right one? One row per run and k."""
    return snapshot.query(
        "best_of_k", run=run, verifier=verifier, scores_from=scores_from, steps=steps, k=k, quarantined=quarantined
    )


def weighted_vote(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    answers_from: str | None = None,
    scores_from: str | None = None,
    steps: Literal["verdict", "last", "min", "mean", "product"] = "verdict",
    transform: Literal["identity", "softmax", "sigmoid", "rank"] = "identity",
    permutations: int = 200,
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How often is the answer with the most weight among k samples the right one, scores being the weights?

    One row per run and k.
    """
    return snapshot.query(
        "weighted_vote",
        run=run,
        verifier=verifier,
        answers_from=answers_from,
        scores_from=scores_from,
        steps=steps,
        transform=transform,
        permutations=permutations,
        k=k,
        quarantined=quarantined,
    )


def generated_test_agreement(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    tests_from: str | None = None,
    weight: Literal["root", "count"] = "root",
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How often is a candidate right that is chosen because others pass the same generated tests?

    One row per run and k.
    """
    return snapshot.query(
        "generated_test_agreement",
        run=run,
        verifier=verifier,
        tests_from=tests_from,
        weight=weight,
        k=k,
        quarantined=quarantined,
    )


def resample_until_accept(
    snapshot: Snapshot,
    run: Names,
    proxy: str,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """If samples are drawn until a proxy verifier accepts one, at most k, how often is it the right one?

    One row per run and k.
    """
    return snapshot.query(
        "resample_until_accept", run=run, proxy=proxy, verifier=verifier, k=k, quarantined=quarantined
    )


def false_positives(
    snapshot: Snapshot,
    run: Names,
    false_positive_rate: float,
    *,
    verifier: str | None = None,
    true_positive_rate: float = 1.0,
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """If the verifier accepted wrong samples at a given rate, what would coverage seem to be, and what would it be?

    One row per run and k.
    """
    return snapshot.query(
        "false_positives",
        run=run,
        false_positive_rate=false_positive_rate,
        verifier=verifier,
        true_positive_rate=true_positive_rate,
        k=k,
        quarantined=quarantined,
    )


def verifier_agreement(
    snapshot: Snapshot,
    run: Names,
    verifier: str,
    *,
    reference: str | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How far can a verifier be trusted: what it accepts, is that correct, and does it accept what is?

    One row per run.
    """
    return snapshot.query(
        "verifier_agreement", run=run, verifier=verifier, reference=reference, quarantined=quarantined
    )


def preference_agreement(
    snapshot: Snapshot,
    run: Names,
    *,
    reference: str | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """Does a judge say the same of a swapped pair, favour what it sees first, and prefer what is correct?

    One row per run and judge.
    """
    return snapshot.query("preference_agreement", run=run, reference=reference, quarantined=quarantined)


def score_thresholds(
    snapshot: Snapshot,
    run: str,
    verifier: str,
    *,
    reference: str | None = None,
) -> Result:
    """Where should the threshold of a scoring verifier lie: how precise is what it accepts, how much does it miss?

    One row per threshold, at most 200 of them evenly spread over the samples.
    """
    return snapshot.query("score_thresholds", run=run, verifier=verifier, reference=reference)


def judged_by_hour(
    snapshot: Snapshot,
    *,
    run: Names | None = None,
) -> Result:
    """How many samples were judged in each hour? One row per hour in which anything was judged."""
    return snapshot.query("judged_by_hour", run=run)


def flaky_problems(
    snapshot: Snapshot,
    run: str,
) -> Result:
    """Where do repeated judgements of one sample by one verifier disagree?

    One row per run, verifier and problem with repeated judgements.
    """
    return snapshot.query("flaky_problems", run=run)


def suspicious_references(
    snapshot: Snapshot,
    *,
    run: Names | None = None,
    least_runs: int = 2,
) -> Result:
    """On which problems do the runs agree on an answer that is not the reference?

    One row per benchmark and problem.
    """
    return snapshot.query("suspicious_references", run=run, least_runs=least_runs)


def answer_clusters(
    snapshot: Snapshot,
    run: str,
    problem: str,
    *,
    verifier: str | None = None,
    answers_from: str | None = None,
) -> Result:
    """Which answers do the samples of a problem give, how often, and which are right?

    One row per different answer.
    """
    return snapshot.query("answer_clusters", run=run, problem=problem, verifier=verifier, answers_from=answers_from)


def samples(
    snapshot: Snapshot,
    run: str,
    problem: str,
    *,
    verifier: str | None = None,
    outcome: Literal["correct", "incorrect", "undecided", "unjudged"] | None = None,
    answer: str | None = None,
    reason: str | None = None,
    finish_reason: Literal["stop", "length", "abort"] | None = None,
    contains: str | None = None,
    score_from: float | None = None,
    score_to: float | None = None,
    second_verifier: str | None = None,
    second_outcome: Literal["correct", "incorrect", "undecided", "unjudged"] | None = None,
    limit: int = 50,
    offset: int = 0,
) -> Result:
    """Which samples were drawn for a problem, and how were they judged? One row per sample."""
    return snapshot.query(
        "samples",
        run=run,
        problem=problem,
        verifier=verifier,
        outcome=outcome,
        answer=answer,
        reason=reason,
        finish_reason=finish_reason,
        contains=contains,
        score_from=score_from,
        score_to=score_to,
        second_verifier=second_verifier,
        second_outcome=second_outcome,
        limit=limit,
        offset=offset,
    )


def sample(
    snapshot: Snapshot,
    run: str,
    problem: str,
    sample_index: int,
    *,
    price_day: str | None = None,
) -> Result:
    """What was the model given, what did it write, and how was it drawn? One row, the sample."""
    return snapshot.query("sample", run=run, problem=problem, sample_index=sample_index, price_day=price_day)


def sample_verdicts(
    snapshot: Snapshot,
    run: str,
    problem: str,
    sample_index: int,
) -> Result:
    """What did every verifier say about a sample? One row per verifier and attempt."""
    return snapshot.query("sample_verdicts", run=run, problem=problem, sample_index=sample_index)
