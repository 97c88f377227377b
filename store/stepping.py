"""Plan a run a step at a time: by what its verdicts were, and by what its samples cost.

All planning of a run is serial, in transactions that hold its lock: each sees what the one before it planned. So a rule
is followed exactly and a budget is never passed, however many plan at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from store.batches import Batch, lock_planning
from store.connection import driver
from store.runs import Run, run_by_id
from store.spending import open_account
from store.sql_files import sql
from store.step_rules import ProblemState, next_step
from store.tables import batches, runs, samples


def plan_step(connection: sa.Connection, run: Run, size: int, problem_id: int | None = None) -> list[int]:
    """Draw batches for the next step of a run, or of one problem of it; their ids. None where it has had enough.

    Raises BudgetUnpriced for a budget in US$ without a price.
    """
    lock_planning(connection, run.run_id)
    local = run.rule.until_success and not run.budget
    states = problem_states(connection, run, problem_id if local else None)
    account = open_account(connection, run, states)
    steps = next_step(run.rule, states, account.afford)
    return _write(connection, run, states, steps, size)


def problem_states(connection: sa.Connection, run: Run, problem_id: int | None = None) -> list[ProblemState]:
    """How far the problems of a run are, in the benchmark's order."""
    values = {"run_id": run.run_id, "problem_id": problem_id}
    return [ProblemState(*row) for row in driver(connection).execute(sql("step_problems").encode(), values)]


def plan_after(connection: sa.Connection, batch: Batch, size: int) -> list[int]:
    """What a judged batch calls for, in the transaction that writes its verdicts; nothing for most runs.

    In that transaction, so that a run that goes on is never seen without any open batch.
    """
    if not _calls_for_more(connection, batch):
        return []
    return plan_step(connection, run_by_id(connection, batch.run_id), size, batch.problem_id)


def _calls_for_more(connection: sa.Connection, batch: Batch) -> bool:
    columns = runs.c
    query = sa.select(sa.literal(True)).where(
        columns.run_id == batch.run_id,
        columns.reference_verifier_id == batch.verifier_id,
        columns.state == "open",
        columns.source == "generated",
        _stepwise(),
    )
    return connection.execute(query).scalar_one_or_none() is not None


def _stepwise() -> sa.ColumnElement[bool]:
    columns = runs.c
    limits = (columns.budget_samples, columns.budget_usd, columns.budget_gpu_hours)
    return sa.or_(columns.stopping["rule"].astext != "fixed", *(limit.is_not(None) for limit in limits))


def idle_runs(connection: sa.Connection) -> list[int]:
    """Runs that are planned a step at a time, were started, and have no open batch: done, or somebody died."""
    columns = batches.c
    of_run = sa.select(columns.batch_id).where(columns.run_id == runs.c.run_id)
    query = sa.select(runs.c.run_id).where(
        runs.c.state == "open",
        runs.c.source == "generated",
        _stepwise(),
        of_run.exists(),
        ~of_run.where(columns.state.in_(["ready", "leased"])).exists(),
    )
    return list(connection.scalars(query.order_by(runs.c.run_id)))


def _write(
    connection: sa.Connection, run: Run, states: Sequence[ProblemState], steps: Mapping[int, int], size: int
) -> list[int]:
    """Batches of at most `size` for the steps: low indexes of all problems first, as in planning of a fixed n."""
    rows = []
    for place, one in enumerate(states):
        for first, end in _ranges(connection, run, one, steps.get(one.problem_id, 0)):
            for start in range(first, end, size):
                rows.append((start, place, one.problem_id, min(end, start + size)))
    if not rows:
        return []
    rows.sort()
    values = [
        {"run_id": run.run_id, "problem_id": problem, "first_index": start, "end_index": end}
        for start, _, problem, end in rows
    ]
    statement = sa.insert(batches).returning(batches.c.batch_id, sort_by_parameter_order=True)
    return [row[0] for row in connection.execute(statement, values)]


def _ranges(connection: sa.Connection, run: Run, one: ProblemState, count: int) -> list[tuple[int, int]]:
    """The lowest `count` indexes of a problem that are neither stored nor on their way, as ranges."""
    if count == 0:
        return []
    if one.end_index == one.placed:
        return [(one.end_index, one.end_index + count)]
    # Something between was set aside or cancelled: its indexes are free again.
    taken = _taken(connection, run, one)
    free = [index for index in range(one.end_index + count) if index not in taken][:count]
    ranges: list[tuple[int, int]] = []
    for index in free:
        if ranges and ranges[-1][1] == index:
            ranges[-1] = (ranges[-1][0], index + 1)
        else:
            ranges.append((index, index + 1))
    return ranges


def _taken(connection: sa.Connection, run: Run, one: ProblemState) -> set[int]:
    stored = sa.select(samples.c.sample_index).where(
        samples.c.run_id == run.run_id, samples.c.problem_id == one.problem_id
    )
    columns = batches.c
    planned = sa.select(columns.first_index, columns.end_index).where(
        columns.run_id == run.run_id,
        columns.problem_id == one.problem_id,
        columns.verifier_id.is_(None),
        columns.state.in_(["ready", "leased"]),
    )
    taken = set(connection.scalars(stored))
    for first, end in connection.execute(planned):
        taken.update(range(first, end))
    return taken
