"""Runs that stop by what their samples were, or cost: exactly by their rule, and never beyond a budget.

Drawing and judging are played by the tests through the store's own doors: batches are leased, samples and verdicts
written and the next step planned in the transactions that real workers use.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from store.analytics.statistics.coverage import pass_at_k
from store.analytics.statistics.designs import design_from_record, pass_at_k_under
from store.batches import follow_with_verification, mark_done
from store.connection import transaction
from store.fingerprint import base_seed
from store.model_registry import ensure_model, set_price
from store.runs import NewRun, Run, Sampling, create_run, find_run, raise_target, sampling_values
from store.samples import SampleRow, write_samples
from store.spending import BudgetUnpriced
from store.stopping import Budget, Stopping
from store.tables import batches
from store.verdicts import VerdictRow, write_verdicts
from store.verifier_registry import attach_verifier, ensure_verifier
from store.work import problem_row
from workers import stepping
from workers.planning import plan_run
from workers.stepping import IdleRuns, steps_after

MAX_TOKENS = 16


@dataclass
class World:
    """Plays the workers: problem i is solved with chance `chances[i]`, decided by the sample's own seed."""

    workshop: Any
    run: Run
    chances: dict[int, float]
    undecided: float = 0.0
    tokens: tuple[int, int] = (1, MAX_TOKENS)
    most_usd: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ready(self) -> list[int]:
        columns = batches.c
        with transaction() as connection:
            return list(
                connection.scalars(
                    sa.select(columns.batch_id).where(
                        columns.run_id == self.run.run_id, columns.state.in_(["ready", "leased"])
                    )
                )
            )

    def work(self, batch_id: int) -> None:
        """Draw or judge one batch; whoever comes second finds it done."""
        with transaction() as connection:
            columns = batches.c
            row = connection.execute(
                sa.select(batches)
                .where(columns.batch_id == batch_id, columns.state.in_(["ready", "leased"]))
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return
            from store.batches import Batch

            batch = Batch(*(getattr(row, name) for name in list(Batch.__dataclass_fields__)[:8]))
            if batch.verifier_id is None:
                mark_done(connection, write_samples(connection, [self.sample(batch, i) for i in batch.indexes]))
                follow_with_verification(connection, [batch])
            else:
                mark_done(connection, write_verdicts(connection, [self.verdict(batch, i) for i in batch.indexes]))
                steps_after(connection, batch)

    def chance_of(self, batch: Any, index: int) -> random.Random:
        with transaction() as connection:
            key = problem_row(connection, batch.problem_id).key
        return random.Random(base_seed(self.run.fingerprint, key, 0) + index)

    def sample(self, batch: Any, index: int) -> SampleRow:
        drawn = self.chance_of(batch, index)
        tokens = drawn.randint(*self.tokens)
        return SampleRow(
            batch.run_id,
            batch.problem_id,
            index,
            batch.batch_id,
            f"text {index}",
            request_samples=len(batch.indexes),
            prompt_tokens=10,
            cached_prompt_tokens=0 if index == batch.first_index else 10,
            completion_tokens=tokens,
            gpu_seconds=0.01 * tokens * drawn.uniform(0.6, 1.0),
            prompt="1 + 1 = ?",
        )

    def verdict(self, batch: Any, index: int) -> VerdictRow:
        drawn = self.chance_of(batch, index)
        drawn.randint(*self.tokens)
        drawn.random()
        outcome = "correct" if drawn.random() < self.chances[batch.problem_id] else "incorrect"
        if drawn.random() < self.undecided:
            outcome = "undecided"
        key = (batch.run_id, batch.problem_id, index, batch.verifier_id, batch.attempt, batch.batch_id)
        return VerdictRow(*key, outcome, None if outcome == "correct" else "wrong_answer", None, None, 0.0)

    def play(self, seed: int = 0) -> None:
        """Work off whatever is open, in a random order, until nothing is."""
        order = random.Random(seed)
        while open_batches := self.ready():
            self.work(order.choice(open_batches))

    def counts(self) -> list[tuple[int, int]]:
        """(n, c) by problem, over decided samples."""
        query = """
            SELECT count(*) FILTER (WHERE v.outcome <> 'undecided'), count(*) FILTER (WHERE v.outcome = 'correct')
            FROM store.samples AS s JOIN store.verdicts AS v USING (run_id, problem_id, sample_index)
            GROUP BY s.problem_id ORDER BY s.problem_id
        """
        return [(row[0], row[1]) for row in self.workshop.rows(query)]

    def outcomes(self) -> dict[int, list[str]]:
        """Outcomes of each problem's samples, in the order of their indexes; checks that no index is left out."""
        found: dict[int, list[str]] = {}
        query = "SELECT problem_id, sample_index, outcome FROM store.verdicts ORDER BY 1, 2"
        for problem, index, outcome in self.workshop.rows(query):
            found.setdefault(problem, []).append(outcome)
            assert len(found[problem]) == index + 1
        return found


def make(
    workshop: Any,
    rule: Stopping,
    chances: list[float],
    budget: Budget | None = None,
    samples: int | None = None,
    price: bool = False,
) -> World:
    benchmark = workshop.benchmark(len(chances))
    with transaction() as connection:
        model = ensure_model(connection, "tiny", "vllm")
        verifier = ensure_verifier(connection, "answer", "1").verifier_id
        new = NewRun(
            name="small",
            benchmark=benchmark,
            model=model,
            sampling=sampling_values(Sampling(max_tokens=MAX_TOKENS)),
            samples_per_problem=samples or rule.cap,
            reference_verifier_id=verifier,
            stopping=rule,
            budget=budget or Budget(),
        )
        run, _ = create_run(connection, new)
        attach_verifier(connection, run.run_id, verifier)
        if price:
            day = workshop_day(connection)
            set_price(connection, "tiny", day, Decimal(100), Decimal(500))
    return World(workshop, run, dict(zip(workshop.problems(run), chances, strict=True)))


def workshop_day(connection: sa.Connection) -> Any:
    return connection.execute(sa.select(sa.func.current_date())).scalar_one()


def test_first_correct_is_sequential_whatever_the_order_of_work(workshop: Any) -> None:
    world = make(workshop, Stopping("first-correct", cap=6), [0.0, 0.2, 0.5, 0.5, 0.9, 1.0])
    plan_run(world.run)
    world.play(seed=1)
    for outcomes in world.outcomes().values():
        assert "correct" not in outcomes[:-1], "something was drawn beyond the first success"
        assert outcomes[-1] == "correct" or len(outcomes) == 6
    assert plan_run(world.run).batch_ids == []


def test_estimates_of_a_stopped_run_are_those_of_its_design(workshop: Any) -> None:
    chance, k, problems = 0.4, 2, 40
    world = make(workshop, Stopping("first-correct", cap=12), [chance] * problems)
    plan_run(world.run)
    world.play()
    design = design_from_record(find(world.run).stopping["design"])
    honest = [pass_at_k_under(design, n, c, k) for n, c in world.counts()]
    naive = [pass_at_k(n, c, 1) for n, c in world.counts()]
    assert None not in honest
    truth = 1 - (1 - chance) ** k
    assert sum(map(float, honest)) / problems == pytest.approx(truth, abs=0.17)  # type: ignore[arg-type]
    assert sum(map(float, naive)) / problems > chance + 0.1, "c/n of a stopped run is far too high"  # type: ignore[arg-type]


def find(run: Run) -> Run:
    with transaction() as connection:
        return find_run(connection, run.name)


def test_batches_are_looked_at_at_their_multiples(workshop: Any) -> None:
    world = make(workshop, Stopping("batch-first-correct", cap=10, batch=4), [0.0, 0.15, 0.4, 0.9])
    plan_run(world.run)
    world.play()
    for outcomes in world.outcomes().values():
        assert len(outcomes) in (4, 8, 10)
        assert "correct" not in outcomes[: 4 * ((len(outcomes) - 1) // 4)]
        assert "correct" in outcomes or len(outcomes) == 10


def test_undecided_samples_hold_nothing_up_and_are_no_failures(workshop: Any) -> None:
    world = make(workshop, Stopping("first-correct", cap=8), [0.3] * 8)
    world.undecided = 0.4
    plan_run(world.run)
    world.play()
    for outcomes in world.outcomes().values():
        assert outcomes[-1] == "correct" or len(outcomes) == 8
    assert any("undecided" in outcomes for outcomes in world.outcomes().values())


def test_a_raised_cap_goes_on_where_the_rule_was(workshop: Any) -> None:
    world = make(workshop, Stopping("first-correct", cap=3), [0.0, 1.0])
    plan_run(world.run)
    world.play()
    with transaction() as connection:
        raise_target(connection, world.run, 5)
    assert find(world.run).stopping["cap"] == 5
    plan_run(find(world.run))
    world.play()
    assert world.counts() == [(5, 0), (1, 1)]


@pytest.mark.parametrize("goal", ["solve", "tail"])
def test_an_adaptive_run_keeps_its_pilot_and_its_budget(workshop: Any, goal: str) -> None:
    chances = [0.0, 0.02, 0.1, 0.2, 0.5, 0.9, 1.0, 1.0]
    rule = Stopping("adaptive", cap=60, batch=3, pilot=4, goal=goal, tail_k=20)
    world = make(workshop, rule, chances, Budget(samples=120))
    plan_run(world.run)
    world.play()
    counts = world.counts()
    assert all(n >= 4 for n, _ in counts)
    total = sum(n for n, _ in counts)
    if goal == "solve":
        for outcomes in world.outcomes().values():
            first = outcomes.index("correct") if "correct" in outcomes else len(outcomes)
            # What was on its way when the success was judged is kept; nothing is planned after it.
            assert len(outcomes) <= max(4, first + 1) + 60
        assert counts[-1] == (4, 4), "a solved problem gets nothing beyond its pilot"
    assert total == 120


def test_failed_work_waits_until_the_run_is_started_again(workshop: Any) -> None:
    world = make(workshop, Stopping("first-correct", cap=4), [1.0, 1.0])
    first, second = plan_run(world.run).draw
    workshop.rows("UPDATE store.batches SET state = 'failed', error = 'x' WHERE batch_id = :id", id=first)
    world.work(second)
    world.play()
    assert IdleRuns().plan() == []
    assert len(plan_run(world.run).draw) == 1
    world.play()
    assert world.counts() == [(1, 1), (1, 1)]


def test_an_idle_run_is_planned_by_the_sweeper_and_a_finished_one_left_alone(
    workshop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(workshop, Stopping("first-correct", cap=4), [0.0])
    assert IdleRuns().plan() == [], "a run that was never started is not begun"
    (drawn,) = plan_run(world.run).draw
    # A judge that dies between its verdicts and the next step cannot be: they commit together. One of an older
    # version knows no steps.
    with monkeypatch.context() as patch:
        patch.setattr(stepping, "plan_after", lambda *_: [])
        world.work(drawn)
        world.play()
    assert len(IdleRuns().plan()) == 1
    world.play()
    assert world.counts() == [(4, 0)]
    idle = IdleRuns()
    assert idle.plan() == []
    assert idle._pauses, "a run that has had enough is asked less often"


def test_a_budget_in_dollars_needs_a_price(workshop: Any) -> None:
    world = make(workshop, Stopping("budget-usd", cap=8, pilot=2), [0.5], Budget(usd=Decimal(1)))
    with pytest.raises(BudgetUnpriced, match="passatk price set"):
        plan_run(world.run)


def spent(workshop: Any) -> tuple[float, float, int]:
    """US$, GPU seconds and samples, as the tables say."""
    usd = "sum(prompt_tokens * 100e-6 + completion_tokens * 500e-6)"
    query = f"SELECT coalesce({usd}, 0), coalesce(sum(gpu_seconds), 0), count(*) FROM store.samples"  # noqa: S608
    return tuple(map(float, workshop.rows(query)[0]))  # type: ignore[return-value]


RULES = [
    Stopping("fixed"),
    Stopping("budget-usd", cap=200, batch=2, pilot=2),
    Stopping("batch-first-correct", cap=200, batch=3),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
@pytest.mark.parametrize(
    "budget",
    [Budget(samples=101), Budget(usd=Decimal("0.5")), Budget(gpu_hours=Decimal("0.003"))],
    ids=["samples", "usd", "gpu"],
)
def test_many_planners_and_workers_never_pass_a_budget(workshop: Any, rule: Stopping, budget: Budget) -> None:
    world = make(workshop, rule, [0.01] * 12, budget, samples=200, price=True)
    limits = (float(budget.usd or "inf"), float(budget.gpu_hours or "inf") * 3600, float(budget.samples or "inf"))
    stop = threading.Event()

    def check() -> None:
        for amount, limit in zip(spent(workshop), limits, strict=True):
            assert amount <= limit + 1e-9

    def plan_again_and_again() -> None:
        while not stop.is_set():
            plan_run(world.run)
            check()

    def work_off(seed: int) -> None:
        order = random.Random(seed)
        while open_batches := world.ready():
            world.work(order.choice(open_batches))

    plan_run(world.run)
    with ThreadPoolExecutor(6) as pool:
        planners = [pool.submit(plan_again_and_again) for _ in range(2)]
        for future in [pool.submit(work_off, seed) for seed in range(4)]:
            future.result()
        stop.set()
        for planner in planners:
            planner.result()
    world.play()
    check()
    usd, seconds, samples = spent(workshop)
    used = max(usd / limits[0], seconds / limits[1], samples / limits[2])
    assert used > 0.75, "most of the budget is used"
    if rule.rule == "fixed":
        counts = [n for n, _ in world.counts()]
        assert max(counts) - min(counts) <= 1, "problems are kept level"
