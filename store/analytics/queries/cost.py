"""What k samples cost, what a solved problem costs, and what stopping at the first success would save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter, NoPrice, NothingJudged
from store.analytics.naming import Judged, Run, find_runs, judged_by, snapshot_day
from store.analytics.queries.counts import ProblemCounts, budgets, notes_on, problem_counts, refuse_designs
from store.analytics.queries.grids import CostGrids, cost_grids, fieller_limits
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
    "price_from": "s",
    "problems": "i",
}
_TOKENS = ("prompt_tokens", "cached_prompt_tokens", "completion_tokens")
_SHOWN = ("prompt_tokens", "completion_tokens")


@dataclass(frozen=True)
class Price:
    """A price sheet, US$ a token of each class."""

    valid_from: date
    input: float
    cached_input: float
    output: float

    def dollars(self, tokens: Mapping[str, FloatArray], prefix: str = "") -> FloatArray:
        """Cost [P] of token sums [P]."""
        prompt, cached, completion = (tokens[prefix + name] for name in _TOKENS)
        return np.asarray((prompt - cached) * self.input + cached * self.cached_input + completion * self.output)


def cost(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Cost per solved at every k for every run. Raises NoPrice, or NothingJudged where token counts are unknown."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    day = _day(parameters["price_day"]) or snapshot_day(snapshot)
    prices = {one.run.model_id: _price(snapshot, one.run, day) for one in judged}
    counts = problem_counts(snapshot, judged)
    values = {
        "run_ids": [one.run.run_id for one in judged],
        "verifier_ids": [one.verifier.verifier_id for one in judged],
    }
    sql = entry.filled(values)
    tokens = _tokens(snapshot, sql)
    ks = budgets(parameters["k"], [one.n_min for one in counts])
    rows: list[tuple[Any, ...]] = []
    for one, grids in zip(counts, cost_grids(counts, np.array(ks, dtype=np.int64)), strict=True):
        rows += _rows(one, _aligned(one, tokens), prices[one.judged.run.model_id], ks, grids) if ks else []
    return Result(table_of(_COLUMNS, rows), tuple(notes_on(counts, ks)), sql)


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"Query cost: price_day must be a day such as 2026-01-31, not {text!r}.") from None


def _price(snapshot: Snapshot, run: Run, day: date) -> Price:
    rows = snapshot.rows(
        "SELECT valid_from, input_usd_per_mtok, cached_input_usd_per_mtok, output_usd_per_mtok FROM prices "  # noqa: S608
        f"WHERE model_id = {run.model_id} ORDER BY valid_from DESC, price_id DESC"
    )
    for row in rows:
        if row["valid_from"] <= day:
            return Price(
                row["valid_from"],
                row["input_usd_per_mtok"] / 1e6,
                row["cached_input_usd_per_mtok"] / 1e6,
                row["output_usd_per_mtok"] / 1e6,
            )
    later = f" on {day} (the first starts on {rows[-1]['valid_from']})" if rows else ""
    raise NoPrice(
        f"No price for model {run.model}{later}: `passatk price set --model {run.model} --input USD --output USD "
        "--from DATE`, then `passatk mirror refresh`."
    )


def _tokens(snapshot: Snapshot, sql: str) -> dict[str, NDArray[Any]]:
    table = snapshot.table(sql)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def _aligned(one: ProblemCounts, tokens: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
    """Token sums of the run's problems, in their order; raises where any sample's tokens are unknown."""
    mine = tokens["run_id"] == one.judged.run.run_id
    own = {name: np.nan_to_num(column[mine].astype(np.float64)) for name, column in tokens.items()}
    unknown = int(one.n.sum() - own["with_tokens"].sum())
    if unknown:
        raise NothingJudged(_unknown(one.judged, unknown))
    place = np.searchsorted(one.problem_ids, own["problem_id"])
    aligned = {name: np.zeros(one.n.size) for name in own}
    for name, column in own.items():
        aligned[name][place] = column
    return aligned


def _unknown(judged: Judged, unknown: int) -> str:
    return (
        f'Run "{judged.run.name}" has {unknown:,} judged samples without token counts, so its cost is not known: '
        "import samples with prompt_tokens and completion_tokens, or ask for coverage."
    )


def _rows(
    one: ProblemCounts, own: Mapping[str, FloatArray], price: Price, ks: Sequence[int], grids: CostGrids
) -> list[tuple[Any, ...]]:
    n, k = np.maximum(one.n, 1), np.array(ks)
    spent, won = price.dollars(own), price.dollars(own, "correct_")
    there = k <= one.n_min
    total = np.where(there, (spent / n).sum() * k, np.nan)
    solved = np.where(there, grids.solved.sum(axis=0), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_solved = np.where(solved > 0, total / solved, np.nan)
    # A negative end would be no price: what is bought costs at least nothing.
    low, high = np.where(solved > 0, fieller_limits(spent / n, grids.solved, k), np.nan)
    tokens = [np.where(there, float((own[name] / n).mean()) * k, np.nan) for name in _SHOWN]
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
    )
    names = (one.judged.run.name, one.judged.verifier.label)
    priced = (price.valid_from.isoformat(), size)
    return [(*names, budget, *map(float, row), *priced) for budget, row in zip(ks, np.stack(columns, 1), strict=True)]


def _until_solved(one: ProblemCounts, lost: FloatArray, won: FloatArray, grids: CostGrids) -> FloatArray:
    """Expected dollars [P, K] when stopping at the first correct sample, from the dollars of wrong and right ones.

    The mean over all orders: (1/n) [lost S(n-1, c, k) + won S(n-1, c-1, k)], S being the expected number of draws among
    the other n-1 samples; statistics.attempts.expected_cost_to_first_success from sums instead of samples.
    """
    n, c = one.n[:, None], one.c[:, None]
    failing = np.where(c < n, lost[:, None] * grids.wrong_draws, 0.0)
    winning = np.where(c > 0, won[:, None] * grids.right_draws, 0.0)
    return np.asarray((failing + winning) / np.maximum(n, 1))
