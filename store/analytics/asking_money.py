"""What samples cost and what money buys.

One typed function a catalogued query; docs/sql/queries.md describes every parameter and column.
Every function takes a snapshot first and returns a Result: `.rows`, `.arrow()`, `.pandas()`, `.polars()`, `.notes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from store.analytics.asking import Amounts, Budgets, Names
    from store.analytics.result import Result
    from store.analytics.snapshot import Snapshot

#: Whether a prompt and its request are paid once for all samples of the request, or once for each.
PromptPer = Literal["request", "sample"]


def cost(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    price_day: str | None = None,
    prompt_per: PromptPer = "request",
    verifier_priced: Literal["no", "yes"] = "no",
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """What do k samples for every problem cost, and what does one solved problem cost? One row per run and k."""
    return snapshot.query(
        "cost",
        run=run,
        verifier=verifier,
        k=k,
        price_day=price_day,
        prompt_per=prompt_per,
        verifier_priced=verifier_priced,
        quarantined=quarantined,
    )


def token_use(
    snapshot: Snapshot,
    *,
    run: Names | None = None,
    prompt_per: PromptPer = "request",
) -> Result:
    """How many tokens does one sample take on average? One row per run."""
    return snapshot.query("token_use", run=run, prompt_per=prompt_per)


def cost_to_target(
    snapshot: Snapshot,
    run: Names,
    target: float,
    *,
    verifier: str | None = None,
    price_day: str | None = None,
    prompt_per: PromptPer = "request",
    verifier_priced: Literal["no", "yes"] = "no",
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How many samples, and how much money, does each run need to solve a given share of the problems?

    One row per run.
    """
    return snapshot.query(
        "cost_to_target",
        run=run,
        target=target,
        verifier=verifier,
        price_day=price_day,
        prompt_per=prompt_per,
        verifier_priced=verifier_priced,
        quarantined=quarantined,
    )


def cost_table(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    attempts: Budgets | None = None,
    price_day: str | None = None,
    prompt_per: PromptPer = "request",
    verifier_priced: Literal["no", "yes"] = "no",
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """What do runs cost in all and per solved problem, each at its own number of attempts? One row per run."""
    return snapshot.query(
        "cost_table",
        run=run,
        verifier=verifier,
        attempts=attempts,
        price_day=price_day,
        prompt_per=prompt_per,
        verifier_priced=verifier_priced,
        quarantined=quarantined,
    )


def stage_costs(
    snapshot: Snapshot,
    *,
    run: Names | None = None,
    price_day: str | None = None,
) -> Result:
    """Which stage of a pipeline does the money go to, and to which kind of token?

    One row per run, stage and model.
    """
    return snapshot.query("stage_costs", run=run, price_day=price_day)


def coverage_at_budget(
    snapshot: Snapshot,
    run: Names,
    usd: Amounts,
    *,
    verifier: str | None = None,
    price_day: str | None = None,
    prompt_per: PromptPer = "request",
    verifier_priced: Literal["no", "yes"] = "no",
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How many problems does each run solve for a given amount of money, and which run solves most?

    One row per run and budget.
    """
    return snapshot.query(
        "coverage_at_budget",
        run=run,
        usd=usd,
        verifier=verifier,
        price_day=price_day,
        prompt_per=prompt_per,
        verifier_priced=verifier_priced,
        quarantined=quarantined,
    )


def pareto(
    snapshot: Snapshot,
    run: Names,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    price_day: str | None = None,
    prompt_per: PromptPer = "request",
    verifier_priced: Literal["no", "yes"] = "no",
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """Which runs, at which number of samples, solve most for their money? One row per run and k on the frontier."""
    return snapshot.query(
        "pareto",
        run=run,
        verifier=verifier,
        k=k,
        price_day=price_day,
        prompt_per=prompt_per,
        verifier_priced=verifier_priced,
        quarantined=quarantined,
    )


def flops(
    snapshot: Snapshot,
    run: Names,
    parameters: float,
    layers: int,
    width: int,
    *,
    verifier: str | None = None,
    k: Budgets | None = None,
    prompt_per: PromptPer = "request",
    quarantined: Literal["include", "exclude"] = "include",
) -> Result:
    """How much computing do k samples of every problem take? One row per run and k."""
    return snapshot.query(
        "flops",
        run=run,
        parameters=parameters,
        layers=layers,
        width=width,
        verifier=verifier,
        k=k,
        prompt_per=prompt_per,
        quarantined=quarantined,
    )
