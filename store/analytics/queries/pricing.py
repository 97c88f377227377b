"""What samples cost: token sums and device time at the price sheet of a day, for each problem of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.analytics.concepts import CatalogueEntry, concept
from store.analytics.errors import BadParameter, NoPrice, NothingJudged
from store.analytics.naming import Judged, Run, snapshot_day
from store.analytics.queries.counts import ProblemCounts

if TYPE_CHECKING:
    from store.analytics.snapshot import Snapshot

FloatArray = NDArray[np.float64]
Sums = Mapping[str, FloatArray]


@dataclass(frozen=True)
class Price:
    """A price sheet: US$ a token of each of five classes, a request, and an hour of a device (None: not paid by time).

    A class without a price of its own takes the one it is a kind of.
    """

    valid_from: date
    input: float
    cached_input: float
    cache_write: float
    output: float
    reasoning: float
    request: float
    gpu_hour: float | None

    @property
    def by_token(self) -> bool:
        return max(self.input, self.cached_input, self.cache_write, self.output, self.reasoning) > 0

    def dollars(self, sums: Sums, prefix: str = "") -> FloatArray:
        """Cost [P] of sums [P] by name: five classes of tokens, requests, device seconds."""
        prompt, cached, written, completion, hidden, requests, seconds = (
            np.nan_to_num(sums[prefix + name])
            for name in (
                "prompt_tokens",
                "cached_prompt_tokens",
                "cache_write_tokens",
                "completion_tokens",
                "reasoning_tokens",
                "requests",
                "gpu_seconds",
            )
        )
        read = (prompt - cached - written) * self.input + cached * self.cached_input + written * self.cache_write
        said = (completion - hidden) * self.output + hidden * self.reasoning
        return np.asarray(read + said + requests * self.request + seconds / 3600 * (self.gpu_hour or 0.0))


@dataclass(frozen=True)
class Spent:
    """What the judged samples of a run cost: dollars [P] of all and of the correct ones; sums of tokens [P] by name.

    `judging`: dollars [P] of the verifier's own requests, None where none are recorded.
    """

    counts: ProblemCounts
    price: Price
    all: FloatArray
    won: FloatArray
    sums: Sums
    judging: FloatArray | None

    @property
    def per_sample(self) -> FloatArray:
        """Dollars [P] of one sample of each problem, on average."""
        return np.asarray(self.all / np.maximum(self.counts.n, 1))


def day_of(snapshot: Snapshot, query: str, text: str | None) -> date:
    """The day whose price sheet is used: the given one, or the snapshot's."""
    try:
        return snapshot_day(snapshot) if text is None else date.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"Query {query}: price_day must be a day such as 2026-01-31, not {text!r}.") from None


_COLUMNS = (
    "valid_from, input_usd_per_mtok, cached_input_usd_per_mtok, cache_write_usd_per_mtok, output_usd_per_mtok, "
    "reasoning_usd_per_mtok, request_usd, gpu_hour_usd"
)


def price_of_model(snapshot: Snapshot, model_id: int, day: date) -> tuple[Price | None, date | None]:
    """The price sheet of a model in force on a day, and the first day of its first one."""
    rows = snapshot.kept_rows(
        f"SELECT {_COLUMNS} FROM prices WHERE model_id = {int(model_id)} ORDER BY valid_from DESC, price_id DESC"  # noqa: S608
    )
    for row in rows:
        if row["valid_from"] <= day:
            start, read, cached, written, said, hidden, request, hour = row.values()
            read, cached, written, said, hidden = (usd / 1e6 for usd in (read, cached, written, said, hidden))
            return Price(start, read, cached, written, said, hidden, request, hour), rows[-1]["valid_from"]
    return None, rows[-1]["valid_from"] if rows else None


def price_of(snapshot: Snapshot, run: Run, day: date) -> Price:
    """The price sheet of a run's model; raises NoPrice saying how to set one."""
    price, first = price_of_model(snapshot, run.model_id, day)
    if price is not None:
        return price
    later = f" on {day} (the first starts on {first})" if first else ""
    raise NoPrice(
        f"No price for model {run.model}{later}: `passatk price set --model {run.model} --input USD --output USD "
        "--from DATE`, then `passatk mirror refresh`."
    )


def spent_on(
    snapshot: Snapshot, counts: Sequence[ProblemCounts], day: date, quarantined: str = "include"
) -> tuple[list[Spent], str]:
    """The cost of every run's judged samples, and the SQL that sums their tokens.

    Raises NoPrice, or NothingJudged where a priced class of tokens (or device time) is not known of every sample.
    """
    judged = [one.judged for one in counts]
    sql = _sums_query(concept("cost"), judged, quarantined)
    table = snapshot.table(sql)
    columns = {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
    # One question for each model, and one for all judges: runs may be many, and most share both.
    prices = {
        model: price_of(snapshot, run, day) for model, run in {one.run.model_id: one.run for one in judged}.items()
    }
    paid = {tuple(row.values()) for row in snapshot.kept_rows("SELECT DISTINCT run_id, verifier_id FROM judging_costs")}
    spent = []
    for one in counts:
        costs = (one.judged.run.run_id, one.judged.verifier.verifier_id) in paid
        judging = _judging(snapshot, one, day) if costs else None
        spent.append(_spent(one, columns, prices[one.judged.run.model_id], judging))
    return spent, sql


def _sums_query(entry: CatalogueEntry, judged: Sequence[Judged], quarantined: str) -> str:
    return entry.filled(
        {
            "run_ids": [one.run.run_id for one in judged],
            "verifier_ids": [one.verifier.verifier_id for one in judged],
            "quarantined": quarantined,
        }
    )


def _spent(one: ProblemCounts, columns: Mapping[str, NDArray[Any]], price: Price, judging: FloatArray | None) -> Spent:
    sums = _aligned(one, columns)
    _require_known(one, sums, price)
    return Spent(one, price, price.dollars(sums), price.dollars(sums, "correct_"), sums, judging)


def _aligned(one: ProblemCounts, columns: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
    """Sums of the run's problems, in their order; 0 where a problem has no judged sample."""
    mine = columns["run_id"] == one.judged.run.run_id
    own = {name: np.nan_to_num(column[mine].astype(np.float64)) for name, column in columns.items()}
    place = np.searchsorted(one.problem_ids, own["problem_id"])
    aligned = {name: np.zeros(one.n.size) for name in own}
    for name, column in own.items():
        aligned[name][place] = column
    return aligned


def _require_known(one: ProblemCounts, sums: Sums, price: Price) -> None:
    total, run = int(one.n.sum()), one.judged.run.name
    unknown = total - int(sums["with_tokens"].sum())
    if unknown and price.by_token:
        raise NothingJudged(
            f'Run "{run}" has {unknown:,} judged samples without token counts, so its cost is not known: '
            "import samples with prompt_tokens and completion_tokens, or ask for coverage."
        )
    untimed = total - int(sums["with_gpu"].sum())
    if untimed and price.gpu_hour and not price.by_token and not price.request:
        raise NothingJudged(
            f'Run "{run}" is paid by the GPU hour and has {untimed:,} judged samples without device seconds, so its '
            "cost is not known."
        )


def _judging(snapshot: Snapshot, one: ProblemCounts, day: date) -> FloatArray | None:
    """Dollars [P] of the verifier's own requests for the samples it judged; None where no cost is recorded."""
    rows = snapshot.rows(
        "SELECT problem_id, model_id, requests, prompt_tokens, cached_prompt_tokens, completion_tokens, "  # noqa: S608
        "reasoning_tokens, gpu_seconds FROM judging_costs "
        f"WHERE run_id = {one.judged.run.run_id} AND verifier_id = {one.judged.verifier.verifier_id}"
    )
    if not rows:
        return None
    dollars = np.zeros(one.n.size)
    places = {int(key): place for place, key in enumerate(one.problem_ids)}
    for row in rows:
        price = None if row["model_id"] is None else price_of_model(snapshot, row["model_id"], day)[0]
        if price is None:
            return None
        if row["problem_id"] in places:
            sums = {name: np.array([float(value or 0)]) for name, value in row.items()}
            sums["cache_write_tokens"] = np.zeros(1)
            dollars[places[row["problem_id"]]] += price.dollars(sums)[0]
    return dollars
