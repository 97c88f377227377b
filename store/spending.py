"""What a run has spent, and the most that a further sample may cost: budgets are kept by never planning beyond them.

A planned sample is reserved at the most it may cost; once it is stored, what it did cost counts. Planning of a run is
serial (a lock in the store), so that reserved and spent together never pass a budget, whoever plans and however many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from store.connection import driver
from store.errors import PassatkError
from store.prompting import examples_for, render_prompt
from store.runs import Run
from store.sql_files import sql
from store.step_rules import ProblemState
from store.tables import prices, prompts
from store.work import problems_of

#: Tokens that a chat template or a tokenizer may put around a prompt whose own tokens are not counted yet.
_AROUND = 256
#: A sample may take so many times the slowest seconds a token that were measured.
_SLOWER = 2.0


class BudgetUnpriced(PassatkError):
    """A budget in US$ needs a price."""


class BudgetUnmeasured(PassatkError):
    """A budget in GPU hours needs an engine that measures them."""


@dataclass(frozen=True)
class Sheet:
    """Prices of one day, in US$ a token (a request, a GPU second)."""

    valid_from: date
    input: float
    cached: float
    written: float
    output: float
    reasoning: float
    request: float
    gpu_second: float


@dataclass
class Account:
    """What is left of a run's budgets. `seconds` is the most GPU time a sample may take; None is not known yet."""

    samples: float
    usd: float
    gpu_seconds: float
    usd_of: Mapping[int, float]
    seconds: float | None
    calibrating: bool

    def afford(self, problem_id: int, wanted: int, whole: bool = False) -> int:
        """How many of `wanted` samples of a problem can be paid for (`whole`: all or none); the account pays them."""
        usd = self.usd_of.get(problem_id, 0.0)
        if self.seconds is None:
            # Nothing was measured: what is drawn first, alone, tells how long a sample takes.
            wanted = 0 if self.calibrating else wanted if whole else 1
        each = ((self.samples, 1.0), (self.usd, usd), (self.gpu_seconds, self.seconds or 0.0))
        paid = max(0, int(min([wanted, *(left / price for left, price in each if price > 0)])))
        if whole and paid < wanted:
            return 0
        self.calibrating = self.calibrating or paid > 0
        self.samples -= paid
        self.usd -= paid * usd
        self.gpu_seconds -= paid * (self.seconds or 0.0)
        return paid


_UNLIMITED = float("inf")


def open_account(connection: sa.Connection, run: Run, problems: Sequence[ProblemState]) -> Account:
    """What is left of a run's budgets after what it spent and what is reserved for its open batches."""
    budget = run.budget
    if not budget:
        return Account(_UNLIMITED, _UNLIMITED, _UNLIMITED, {}, 0.0, False)
    rows = driver(connection).execute(sql("run_spending").encode(), {"run_id": run.run_id}).fetchall()
    spending = [Spending(*row) for row in rows]
    sheets = _sheets(connection, run) if budget.usd is not None else []
    timed = budget.gpu_hours is not None or any(sheet.gpu_second for sheet in sheets)
    seconds = _most_seconds(spending, run) if timed else 0.0
    usd_of = _most_usd(connection, run, sheets, seconds or 0.0) if budget.usd is not None else {}
    account = Account(
        samples=_left(budget.samples, sum(one.samples for one in spending)),
        usd=_left(budget.usd, sum(_usd(one, sheets, usd_of) for one in spending)),
        gpu_seconds=_left(budget.gpu_hours, 0) * 3600 - sum(one.gpu_seconds for one in spending),
        usd_of=usd_of,
        seconds=seconds,
        calibrating=any(one.waiting for one in problems),
    )
    if seconds is None and any(one.drawn for one in problems):
        raise BudgetUnmeasured(
            f'Run "{run.name}" has a budget in GPU hours, and its engine does not tell the GPU time of its samples: '
            "give a budget in samples or US$ to a run that another server draws."
        )
    for one in problems:
        account.samples -= one.waiting
        account.usd -= one.waiting * usd_of.get(one.problem_id, 0.0)
        account.gpu_seconds -= one.waiting * (seconds or 0.0)
    return account


def spent_of(connection: sa.Connection, run: Run) -> dict[str, float]:
    """What the stored samples of a run took: samples, gpu_hours, and usd where its model has a price today."""
    rows = driver(connection).execute(sql("run_spending").encode(), {"run_id": run.run_id}).fetchall()
    spending = [Spending(*row) for row in rows]
    spent = {
        "samples": sum(one.samples for one in spending),
        "gpu_hours": sum(one.gpu_seconds for one in spending) / 3600,
    }
    try:
        sheets = _sheets(connection, run)
    except BudgetUnpriced:
        return spent
    seconds = _most_seconds(spending, run) or 0.0
    usd_of = _most_usd(connection, run, sheets, seconds) if any(one.unknown_problem_id for one in spending) else {}
    return spent | {"usd": sum(_usd(one, sheets, usd_of) for one in spending)}


@dataclass(frozen=True)
class Spending:
    """Samples of a day: tokens by class, requests, GPU seconds. With a problem: samples without token counts."""

    day: date
    unknown_problem_id: int | None
    samples: int
    prompt_tokens: int
    cached_prompt_tokens: int
    cache_write_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    requests: float
    gpu_seconds: float
    slowest_token: float


def _left(limit: Any, spent: float) -> float:
    return _UNLIMITED if limit is None else float(limit) - spent


def _most_seconds(spending: Sequence[Spending], run: Run) -> float | None:
    slowest = max((one.slowest_token for one in spending), default=0.0)
    return slowest * _SLOWER * int(run.sampling["max_tokens"]) if slowest > 0 else None


def _sheets(connection: sa.Connection, run: Run) -> list[Sheet]:
    """The model's price sheets, the latest first. Raises BudgetUnpriced where none is in force today."""
    columns = prices.c
    query = sa.select(prices).where(columns.model_id == run.model_id)
    rows = connection.execute(query.order_by(columns.valid_from.desc(), columns.price_id.desc())).mappings().all()
    today = connection.execute(sa.select(sa.func.current_date())).scalar_one()
    sheets = [_sheet(row) for row in rows]
    if not any(sheet.valid_from <= today for sheet in sheets):
        raise BudgetUnpriced(
            f'Run "{run.name}" has a budget in US$ and its model no price today: `passatk price set --model MODEL '
            "--input USD --output USD --from DATE`."
        )
    return sheets


def _sheet(row: sa.RowMapping) -> Sheet:
    def a_token(name: str, otherwise: str) -> float:
        return float(row[otherwise] if row[name] is None else row[name]) / 1e6

    plain, output = "input_usd_per_mtok", "output_usd_per_mtok"
    return Sheet(
        valid_from=row["valid_from"],
        input=a_token(plain, plain),
        cached=a_token("cached_input_usd_per_mtok", plain),
        written=a_token("cache_write_usd_per_mtok", plain),
        output=a_token(output, output),
        reasoning=a_token("reasoning_usd_per_mtok", output),
        request=float(row["request_usd"] or 0),
        gpu_second=float(row["gpu_hour_usd"] or 0) / 3600,
    )


def _on(sheets: Sequence[Sheet], day: date) -> Sheet:
    """The sheet in force on a day; the first one for what was drawn before any."""
    return next((sheet for sheet in sheets if sheet.valid_from <= day), sheets[-1])


def _usd(one: Spending, sheets: Sequence[Sheet], usd_of: Mapping[int, float]) -> float:
    if not sheets:
        return 0.0
    if one.unknown_problem_id is not None:
        return one.samples * usd_of[one.unknown_problem_id]
    sheet = _on(sheets, one.day)
    return (
        (one.prompt_tokens - one.cached_prompt_tokens - one.cache_write_tokens) * sheet.input
        + one.cached_prompt_tokens * sheet.cached
        + one.cache_write_tokens * sheet.written
        + (one.completion_tokens - one.reasoning_tokens) * sheet.output
        + one.reasoning_tokens * sheet.reasoning
        + one.requests * sheet.request
        + one.gpu_seconds * sheet.gpu_second
    )


def _most_usd(connection: sa.Connection, run: Run, sheets: Sequence[Sheet], seconds: float) -> dict[int, float]:
    """The most a sample of each problem may cost, at the dearest price that may hold when it is drawn."""
    today = connection.execute(sa.select(sa.func.current_date())).scalar_one()
    now = [_on(sheets, today), *(sheet for sheet in sheets if sheet.valid_from > today)]
    prompt = max(max(sheet.input, sheet.cached, sheet.written) for sheet in now)
    completion = max(max(sheet.output, sheet.reasoning) for sheet in now) * int(run.sampling["max_tokens"])
    other = max(sheet.request + seconds * sheet.gpu_second for sheet in now)
    counted = dict(
        connection.execute(
            sa.select(prompts.c.problem_id, prompts.c.prompt_tokens).where(
                prompts.c.run_id == run.run_id, prompts.c.prompt_tokens > 0
            )
        ).all()
    )
    return {
        problem_id: counted.get(problem_id, most) * prompt + completion + other
        for problem_id, most in _longest_prompts(connection, run).items()
    }


def _longest_prompts(connection: sa.Connection, run: Run) -> dict[int, int]:
    """The most tokens each problem's prompt can have: a token of text is a byte or more."""
    longest = {}
    for problem in problems_of(connection, run.benchmark_id):
        asked = render_prompt(run, problem, examples_for(run.prompting, problem))
        text = "".join([one.content for one in asked.messages]) if asked.messages else asked.text
        longest[problem.problem_id] = len(text.encode("utf-8", "surrogatepass")) + _AROUND
    return longest
