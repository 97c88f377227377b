"""What money buys: cost tables, coverage for a budget, the frontier, floating-point operations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry
from store.analytics.errors import BadParameter, NothingJudged
from store.analytics.naming import find_runs, judged_by, snapshot_day
from store.analytics.queries.comparison import paired, problem_names
from store.analytics.queries.counts import ProblemCounts, budgets, notes_on, problem_counts, refuse_designs
from store.analytics.queries.grids import fieller_limits
from store.analytics.queries.pricing import Paying, Spent, aligned, notes_on_paying, numbers_of, spent_on
from store.analytics.result import Result, table_of
from store.analytics.statistics.coverage import pass_at_k_grid
from store.analytics.statistics.curves import mean_curve
from store.analytics.statistics.intervals import t_quantile
from store.analytics.statistics.spending import Offer, pareto_frontier

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

FloatArray = NDArray[np.float64]
_TABLE = {
    "run": "s",
    "model": "s",
    "verifier": "s",
    "attempts": "i",
    "usd_per_attempt": "f",
    "solved_share": "f",
    "solved": "f",
    "problems": "i",
    "usd_total": "f",
    "relative_cost": "f",
    "usd_per_solved": "f",
    "low": "f",
    "high": "f",
}
_BUDGET = {
    "run": "s",
    "verifier": "s",
    "usd": "f",
    "k": "f",
    "coverage": "f",
    "low": "f",
    "high": "f",
    "solved": "f",
    "difference": "f",
    "difference_low": "f",
    "difference_high": "f",
    "problems": "i",
}
_FRONTIER = {
    "run": "s",
    "verifier": "s",
    "k": "i",
    "usd_total": "f",
    "usd_per_problem": "f",
    "coverage": "f",
    "solved": "f",
    "usd_per_solved": "f",
    "problems": "i",
}
_FLOPS = {"run": "s", "verifier": "s", "k": "i", "flops": "f", "flops_total": "f", "coverage": "f", "problems": "i"}


def _priced(
    snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]
) -> tuple[list[ProblemCounts], list[Spent], list[str], str]:
    """Counts and dollars of each run, what a reader must know about the paying, and the SQL behind them."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    paying = Paying.asked(snapshot, entry.name, parameters)
    spent, sql = spent_on(snapshot, counts, paying)
    return counts, spent, notes_on_paying(paying, spent), sql


def cost_table(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Every run at its own number of attempts: share solved, total and relative cost, cost per solved problem."""
    counts, spent, said, sql = _priced(snapshot, entry, parameters)
    attempts = _attempts(parameters["attempts"], counts)
    found = []
    for one, money, k in zip(counts, spent, attempts, strict=True):
        solved = pass_at_k_grid(one.n, one.c, np.array([k]))
        known = k <= one.n_min
        low, high = fieller_limits(money.per_sample, solved, np.array([k]))[:, 0] if known else (math.nan, math.nan)
        sum_solved = float(solved.sum()) if known else math.nan
        found.append((one, k, float(money.per_sample.mean()), sum_solved, low, high))
    totals = [usd * k * one.n.size for one, k, usd, *_ in found]
    least = min((total for total in totals if total > 0), default=math.nan)
    rows = [
        (
            one.judged.run.name,
            one.judged.run.model,
            one.judged.verifier.label,
            k,
            usd,
            solved / one.n.size,
            solved,
            one.n.size,
            total,
            total / least,
            total / solved if solved > 0 else None,
            max(float(low), 0.0) if solved > 0 else None,
            float(high) if solved > 0 else None,
        )
        for (one, k, usd, solved, low, high), total in zip(found, totals, strict=True)
    ]
    notes = [note for one, k in zip(counts, attempts, strict=True) for note in notes_on([one], [k])]
    staged = {row["run_id"] for row in snapshot.rows("SELECT DISTINCT run_id FROM stage_costs")}
    notes += [
        f"{one.judged.run.name} has costs that belong to no single sample, which are not in this table: "
        "`passatk query stage_costs`."
        for one in counts
        if one.judged.run.run_id in staged
    ]
    return Result(table_of(_TABLE, rows), (*notes, *said), sql)


def _attempts(given: list[int] | None, counts: list[ProblemCounts]) -> list[int]:
    if given is None:
        return [max(one.n_min, 1) for one in counts]
    if len(given) not in (1, len(counts)):
        raise BadParameter(
            f"Query cost_table: attempts has {len(given)} numbers for {len(counts)} runs; give one for each, or one."
        )
    return given * len(counts) if len(given) == 1 else given


def coverage_at_budget(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Coverage each run reaches for the same money, beside the first one's."""
    for usd in parameters["usd"]:
        if not usd > 0:
            raise BadParameter(f"Query coverage_at_budget: usd = {usd:g} buys nothing; give more than 0.")
    counts, spent, said, sql = _priced(snapshot, entry, parameters)
    names = problem_names(snapshot)
    pairs = [paired(one, counts[0], names) for one in counts]
    said = [*said, *(pair.note for pair in pairs[1:] if pair.note)]
    rows = []
    for usd in parameters["usd"]:
        bought = [_bought(one, usd) for one in spent]
        for place, (one, (k, grid)) in enumerate(zip(counts, bought, strict=True)):
            value, low, high = math.nan, math.nan, math.nan
            if grid is not None:
                value, _, low, high, _ = (float(part[0]) for part in mean_curve(grid[:, None]))
            difference = (math.nan,) * 3
            if place and grid is not None and bought[0][1] is not None:
                pair = pairs[place]
                difference = _paired_interval(grid[pair.run] - bought[0][1][pair.baseline])
            labels = (one.judged.run.name, one.judged.verifier.label)
            rows.append((*labels, float(usd), k, value, low, high, value * one.n.size, *difference, one.n.size))
    return Result(table_of(_BUDGET, rows), (*notes_on(counts, []), *said), sql)


def _bought(money: Spent, usd: float) -> tuple[float, FloatArray | None]:
    """Samples per problem that `usd` buys, and pass@k of each problem [P] at that k, linear between whole numbers."""
    one, round_usd = money.counts, float(money.per_sample.sum())
    k = usd / round_usd if round_usd > 0 else math.inf
    if not 1 <= k <= one.n_min:
        return k if math.isfinite(k) else math.nan, None
    floor = math.floor(k)
    grid = pass_at_k_grid(one.n, one.c, np.array([floor, min(floor + 1, one.n_min)]))
    return k, np.asarray(grid[:, 0] + (k - floor) * (grid[:, 1] - grid[:, 0]))


def _paired_interval(d: FloatArray) -> tuple[float, float, float]:
    """Mean of differences [P] and its 95 % t interval, within [-1, 1], where every difference lies."""
    mean = float(d.mean()) if d.size else math.nan
    if d.size < 2:
        return mean, math.nan, math.nan
    reach = t_quantile(0.95, d.size - 1) * float(d.std(ddof=1)) / math.sqrt(d.size)
    return mean, max(mean - reach, -1.0), min(mean + reach, 1.0)


def pareto(snapshot: Snapshot, entry: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """The (run, k) that no other beats in cost and coverage."""
    counts, spent, said, sql = _priced(snapshot, entry, parameters)
    ks = budgets(parameters["k"], [one.n_min for one in counts])
    offers, rows = [], {}
    for place, (one, money) in enumerate(zip(counts, spent, strict=True)):
        mine = [k for k in ks if k <= one.n_min]
        solved = pass_at_k_grid(one.n, one.c, np.array(mine, dtype=np.int64)).sum(axis=0)
        for k, total in zip(mine, solved.tolist(), strict=True):
            name, usd = f"{place}:{k}", float(money.per_sample.sum()) * k
            share = total / one.n.size
            offers.append(Offer(name, usd, share))
            labels = (one.judged.run.name, one.judged.verifier.label)
            per = usd / total if total else None
            rows[name] = (*labels, k, usd, usd / one.n.size, share, total, per, one.n.size)
    frontier = [rows[offer.name] for offer in pareto_frontier(offers)]
    return Result(table_of(_FRONTIER, frontier), (*notes_on(counts, []), *said), sql)


def flops(snapshot: Snapshot, _: CatalogueEntry, parameters: Mapping[str, Any]) -> Result:
    """Floating-point operations of k samples: statistics.inference_flops from sums of lengths, squares and products."""
    judged = judged_by(snapshot, find_runs(snapshot, parameters["run"]), parameters["verifier"])
    refuse_designs(judged)
    counts = problem_counts(snapshot, judged, parameters["quarantined"])
    paying = Paying(snapshot_day(snapshot), prompt_per=parameters["prompt_per"], quarantined=parameters["quarantined"])
    sql = paying.sql(judged)
    table = snapshot.table(sql)
    columns = numbers_of(table)
    ks = budgets(parameters["k"], [one.n_min for one in counts])
    size, width = float(parameters["parameters"]), float(parameters["layers"] * parameters["width"])
    rows: list[tuple[Any, ...]] = []
    for one in counts:
        own = aligned(one, columns)
        if float(own["with_tokens"].sum()) < float(one.n.sum()):
            raise NothingJudged(f'Run "{one.judged.run.name}" has judged samples without token counts.')
        reading = 2 * size * own["prompt_tokens"] + 2 * width * own["prompt_squares"]
        writing = 2 * size * own["completion_tokens"] + 2 * width * own["completion_squares"]
        each = (reading + writing + 4 * width * own["token_products"]) / np.maximum(own["n"], 1)
        solved = pass_at_k_grid(one.n, one.c, np.array(ks, dtype=np.int64)).mean(axis=0)
        for k, share in zip(ks, solved.tolist(), strict=True):
            total = float(each.sum()) * k if k <= one.n_min else math.nan
            labels = (one.judged.run.name, one.judged.verifier.label)
            rows.append((*labels, k, total / one.n.size, total, share, one.n.size))
    return Result(table_of(_FLOPS, rows), (*notes_on(counts, ks), *notes_on_paying(paying, [])), sql)
