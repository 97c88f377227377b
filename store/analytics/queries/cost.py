"""What k samples cost, what a solved problem costs, and what stopping at the first success would save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.naming import find_runs, judged_by
from store.analytics.queries.counts import ProblemCounts, budgets, notes_on, problem_counts, refuse_designs
from store.analytics.queries.grids import CostGrids, cost_grids, fieller_limits
from store.analytics.queries.pricing import Paying, Spent, notes_on_paying, spent_on
from store.analytics.result import Result, table_of

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

FloatArray = NDArray[np.float64]

_COLUMNS = {
    "run": "s",
    "verifier": "s",
    "k": "i",
    "usd_per_problem": "f",
    "usd_total": "f",
    "solved": "f",
    "usd_per_solved": "f",
    "low": "f",
    "high": "f",
    "expected_attempts": "f",
    "usd_until_solved": "f",
    "coverage": "f",
    "prompt_tokens": "f",
    "completion_tokens": "f",
    "cached_prompt_tokens": "f",
    "cache_write_tokens": "f",
    "reasoning_tokens": "f",
    "requests": "f",
    "gpu_seconds": "f",
    "usd_verification": "f",
    "price_from": "s",
    "problems": "i",
}
_SHOWN = (
    "prompt_tokens",
    "completion_tokens",
    "cached_prompt_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "requests",
)


def cost(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Cost per solved at every k for every run. Raises NoPrice, or NothingJudged where token counts are unknown."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    paying = Paying.asked(snapshot, entry.name, parameters)
    spent, sql = spent_on(snapshot, counts, paying)
    ks = budgets(parameters["k"], [one.n_min for one in counts])
    rows: list[tuple[Any, ...]] = []
    for one, grids in zip(spent, cost_grids(counts, np.array(ks, dtype=np.int64)), strict=True):
        rows += _rows(one, ks, grids) if ks else []
    return Result(table_of(_COLUMNS, rows), (*notes_on(counts, ks), *notes_on_paying(paying, spent)), sql)


def _rows(money: Spent, ks: Sequence[int], grids: CostGrids) -> list[tuple[Any, ...]]:
    one, own, spent, won = money.counts, money.sums, money.all, money.won
    n, k = np.maximum(one.n, 1), np.array(ks)
    there = k <= one.n_min
    total = np.where(there, (spent / n).sum() * k, np.nan)
    solved = np.where(there, grids.solved.sum(axis=0), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_solved = np.where(solved > 0, total / solved, np.nan)
    # A negative end would be no price: what is bought costs at least nothing.
    low, high = np.where(solved > 0, fieller_limits(spent / n, grids.solved, k), np.nan)
    tokens = [np.where(there, float((own[name] / n).mean()) * k, np.nan) for name in _SHOWN]
    timed = there & bool(own["with_gpu"].sum() == one.n.sum())
    seconds = np.where(timed, float((own["gpu_seconds"] / n).mean()) * k, np.nan)
    judging = np.full(k.size, np.nan) if money.judging is None else float((money.judging / n).mean()) * k
    size = one.n.size
    columns = (
        total / size,
        total,
        solved,
        per_solved,
        np.maximum(low, 0.0),
        high,
        np.where(there, grids.attempts.mean(axis=0), np.nan),
        np.where(there, _until_solved(one, spent - won, won, grids).mean(axis=0), np.nan),
        solved / size,
        *tokens,
        seconds,
        np.where(there, judging, np.nan),
    )
    names = (one.judged.run.name, one.judged.verifier.label)
    priced = (money.price.valid_from.isoformat(), size)
    table = np.stack(columns, 1).tolist()
    return [(*names, budget, *row, *priced) for budget, row in zip(ks, table, strict=True)]


def _until_solved(one: ProblemCounts, lost: FloatArray, won: FloatArray, grids: CostGrids) -> FloatArray:
    """Expected dollars [P, K] when stopping at the first correct sample, from the dollars of wrong and right ones.

    The mean over all orders: (1/n) [lost S(n-1, c, k) + won S(n-1, c-1, k)], S being the expected number of draws among
    the other n-1 samples; statistics.attempts.expected_cost_to_first_success from sums instead of samples.
    """
    n, c = one.n[:, None], one.c[:, None]
    failing = np.where(c < n, lost[:, None] * grids.wrong_draws, 0.0)
    winning = np.where(c > 0, won[:, None] * grids.right_draws, 0.0)
    return np.asarray((failing + winning) / np.maximum(n, 1))
