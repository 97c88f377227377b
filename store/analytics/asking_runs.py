"""What runs did: coverage, its bounds, comparison and forecasts.

One typed function a catalogued query; docs/sql/queries.md describes every parameter and column.
Every function takes a snapshot first and returns a Result: `.rows`, `.arrow()`, `.pandas()`, `.polars()`, `.notes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from store.analytics.asking import Budgets, Names
    from store.analytics.result import Result
    from store.analytics.snapshot import Snapshot


def run_summary(
    snapshot: Snapshot,
) -> Result:
    """What runs are there, how far are they, and what came out? One row per run."""
    return snapshot.query("run_summary")


def run_verifiers(
    snapshot: Snapshot,
    *,
    run: Names | None = None,
) -> Result:
    """Who judged the samples of a run, and how did they judge? One row per run and verifier."""
    return snapshot.query("run_verifiers", run=run)


def run_progress(
    snapshot: Snapshot,
    *,
    run: Names | None = None,
) -> Result:
    """How fast are samples being judged, and has any run come to a standstill? One row per run."""
    return snapshot.query("run_progress", run=run)


def run_settings(
    snapshot: Snapshot,
    *,
    run: Names | None = None,
) -> Result:
    """With what model, prompt, sampling parameters, verifier and price was a run made? One row per run."""
    return snapshot.query("run_settings", run=run)


def coverage(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    policy: Literal["strict", "complete_case", "bounds"] = "strict",
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """What share of the problems has at least one correct sample among k? One row per run and k."""
    return snapshot.query("coverage", run=run, verifier=verifier, k=k, policy=policy, quarantined=quarantined)


def undecided_bounds(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """Between what does coverage lie, whatever the undecided and unjudged samples would turn out to be?

    One row per run and k.
    """
    return snapshot.query("undecided_bounds", run=run, verifier=verifier, k=k, quarantined=quarantined)


def coverage_by_tag(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """On which kinds of problems does a run succeed: by subject, level, repository? One row per run, tag and k."""
    return snapshot.query("coverage_by_tag", run=run, verifier=verifier, k=k, quarantined=quarantined)


def coverage_difference(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """Does one run solve more problems than another at the same k, beyond what chance explains?

    One row per run beside the baseline and k.
    """
    return snapshot.query("coverage_difference", run=run, verifier=verifier, k=k, quarantined=quarantined)


def mcnemar(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """With every stored sample spent, which run solves problems that the baseline does not, and is that chance?

    One row per run beside the baseline.
    """
    return snapshot.query("mcnemar", run=run, verifier=verifier, quarantined=quarantined)


def sample_size(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    difference: float = 0.03,
    power: float = 0.8,
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How many problems would show a difference between two runs, and what difference do these problems show?

    One row per run beside the baseline and k.
    """
    return snapshot.query(
        "sample_size", run=run, verifier=verifier, difference=difference, power=power, k=k, quarantined=quarantined
    )


def reliability(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    tau: str = "0.5",
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How often are all of k samples correct, or at least a share of them? One row per run and k."""
    return snapshot.query("reliability", run=run, verifier=verifier, k=k, tau=tau, quarantined=quarantined)


def forecast(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """What coverage may more samples than are stored be expected to reach? One row per run, law and k."""
    return snapshot.query("forecast", run=run, verifier=verifier, k=k, quarantined=quarantined)


def problem_difficulty(
    snapshot: Snapshot,
    *,
    run: Names | None = None,
) -> Result:
    """Which problems are hard for every run, and on which do runs disagree? One row per benchmark and problem."""
    return snapshot.query("problem_difficulty", run=run)


def pass_rates(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """Which problems fall, how often, and what do the samples answer? One row per run and problem."""
    return snapshot.query("pass_rates", run=run, verifier=verifier, quarantined=quarantined)


def truncation(
    snapshot: Snapshot,
    *,
    run: Names | None = None,
) -> Result:
    """How many samples ended at the longest length allowed, and what did that cost in correct ones?

    One row per run.
    """
    return snapshot.query("truncation", run=run)
