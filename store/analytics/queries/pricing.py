"""What samples cost: token sums and device time at the price sheet of a day, for each problem of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store.analytics.concepts import concept
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
            sums[prefix + name]
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

    `judging`: dollars [P] of the verifier's own requests, None where none are recorded; part of the others where the
    verifier is paid for.
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


@dataclass(frozen=True)
class Paying:
    """What is paid for: prices of a day, prompts once a request or once a sample, the verifier or not, which problems.

    The fields are the parameters of `sql/parts/paying.sql`.
    """

    day: date
    prompt_per: str = "request"
    verifier_priced: str = "no"
    quarantined: str = "include"

    @classmethod
    def asked(cls, snapshot: Snapshot, query: str, parameters: Mapping[str, Any]) -> Paying:
        """What a query's checked parameters say; raises BadParameter where its day is none."""
        named = {name: parameters[name] for name in ("prompt_per", "verifier_priced", "quarantined")}
        return cls(day_of(snapshot, query, parameters["price_day"]), **named)

    def sql(self, judged: Sequence[Judged]) -> str:
        """The text that sums, for each problem, what samples took and what judging them cost."""
        return concept("cost").filled(
            {
                "run_ids": [one.run.run_id for one in judged],
                "verifier_ids": [one.verifier.verifier_id for one in judged],
                "price_day": self.day,
                "prompt_per": self.prompt_per,
                "verifier_priced": self.verifier_priced,
                "quarantined": self.quarantined,
            }
        )


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


def spent_on(snapshot: Snapshot, counts: Sequence[ProblemCounts], paying: Paying) -> tuple[list[Spent], str]:
    """The cost of every run's judged samples, and the SQL that sums their tokens.

    Raises NoPrice, or NothingJudged where a priced class of tokens (or device time, or the cost of judging) is not
    known of every sample.
    """
    judged = [one.judged for one in counts]
    sql = paying.sql(judged)
    table = snapshot.table(sql)
    columns = numbers_of(table)
    # One question for each model: runs may be many, and most share theirs.
    prices = {
        model: price_of(snapshot, run, paying.day)
        for model, run in {one.run.model_id: one.run for one in judged}.items()
    }
    spent = []
    for one in counts:
        sums = aligned(one, columns)
        _require_known(one, sums, prices[one.judged.run.model_id])
        if paying.verifier_priced == "yes":
            _require_judging(snapshot, one, sums, paying.day)
        spent.append(_spent(one, sums, prices[one.judged.run.model_id]))
    return spent, sql


def _spent(one: ProblemCounts, sums: Sums, price: Price) -> Spent:
    paid = price.dollars(sums) + sums["paid_judging_usd"]
    won = price.dollars(sums, "correct_") + sums["correct_paid_judging_usd"]
    known = sums["judged_at_cost"].any() and not sums["judging_unpriced"].any()
    return Spent(one, price, paid, won, sums, sums["judging_usd"] if known else None)


def notes_on_paying(paying: Paying, spent: Sequence[Spent]) -> list[str]:
    """What a reader must know where something else than the default is paid for."""
    notes = []
    if paying.prompt_per == "sample":
        notes.append("The whole prompt and its request are paid for every sample, as if each had been asked for alone.")
    for one in spent if paying.verifier_priced == "yes" else ():
        judged, recorded = int(one.counts.n.sum()), int(one.sums["judged_at_cost"].sum())
        said = f"{one.counts.judged.run.name}: what {one.counts.judged.verifier.label} took to judge is paid for."
        if recorded < judged:
            said += (
                f" A cost is recorded for {recorded:,} of {judged:,} judged samples; "
                "the others, such as copies of judged completions, count as free."
            )
        notes.append(said)
    return notes


def numbers_of(table: pa.Table) -> dict[str, FloatArray]:
    """The columns of a table as numbers, 0 where null; sums of whole numbers are decimals in Arrow."""
    return {name: np.nan_to_num(table.column(name).cast(pa.float64()).to_numpy()) for name in table.column_names}


def aligned(one: ProblemCounts, columns: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Sums of the run's problems, in their order; 0 where a problem has no judged sample. Rows are in order of runs."""
    first, end = np.searchsorted(columns["run_id"], one.judged.run.run_id + np.array([0, 1])).tolist()
    problems = columns["problem_id"][first:end]
    if np.array_equal(problems, one.problem_ids):
        return {name: column[first:end] for name, column in columns.items()}
    place = np.searchsorted(one.problem_ids, problems)
    result = {name: np.zeros(one.n.size) for name in columns}
    for name, column in columns.items():
        result[name][place] = column[first:end]
    return result


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


def _require_judging(snapshot: Snapshot, one: ProblemCounts, sums: Sums, day: date) -> None:
    run, verifier = one.judged.run, one.judged.verifier
    if not sums["judged_at_cost"].any():
        raise NothingJudged(
            f'No cost of judging run "{run.name}" by {verifier.label} is recorded, so it cannot be paid for: '
            "leave verifier_priced at no, or say --verifier with one whose requests are recorded."
        )
    if not sums["judging_unpriced"].any():
        return
    judges = snapshot.rows(
        "SELECT DISTINCT m.model_id, m.model FROM judging_costs AS j LEFT JOIN models AS m ON j.model_id = m.model_id "  # noqa: S608
        f"WHERE j.run_id = {run.run_id} AND j.verifier_id = {verifier.verifier_id} ORDER BY m.model_id"
    )
    for judge in judges:
        if judge["model_id"] is not None and price_of_model(snapshot, judge["model_id"], day)[0] is None:
            raise NoPrice(
                f"No price on {day} for {judge['model']}, which judged for {verifier.label}: `passatk price set "
                f"--model {judge['model']} --input USD --output USD --from DATE`, then `passatk mirror refresh`."
            )
    raise NoPrice(
        f'Which model judged run "{run.name}" for {verifier.label} is not recorded, so judging has no price: leave '
        "verifier_priced at no."
    )
