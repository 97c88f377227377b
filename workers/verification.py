"""Judge a batch: lease it, judge each different completion once, write the verdicts. Runs without Celery."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa

from store.batches import Batch, hand_back, mark_done
from store.connection import patiently, transaction
from store.environments import ensure_environment
from store.errors import PassatkError
from store.generated_tests import TestRow, tests_of
from store.model_registry import ensure_model
from store.tickets import claim_by_tickets
from store.verdict_sides import CostRow
from store.verdicts import (
    KnownVerdict,
    StoredCompletion,
    VerdictRow,
    completions_to_judge,
    known_verdicts,
    write_verdicts,
)
from store.verifier_registry import VerifierRow, verifier_row
from store.work import ProblemRow, problem_row
from workers.answer_classes import Classifies, classified
from workers.environment import environment_of
from workers.errors import VerifierBroken
from workers.heartbeat import Heartbeat
from workers.logs import about
from workers.settings import WorkerSettings
from workers.stepping import send, steps_after
from workers.tally import TALLY
from workers.verifiers import open_verifier
from workers.verifiers.protocol import (
    Environment,
    GeneratedTest,
    Judgement,
    JudgingCost,
    Outcome,
    Problem,
    Reason,
    Verifier,
)

_LOG = logging.getLogger(__name__)

#: How a batch is taken: by id, worker and seconds of lease.
Take = Callable[[sa.Connection, int, str, float], Batch | None]


def _by_ticket(connection: sa.Connection, batch_id: int, worker: str, lease_seconds: float) -> Batch | None:
    taken = claim_by_tickets(connection, [batch_id], worker, lease_seconds)
    return taken[0] if taken else None


#: After this many tries of a batch, what still breaks the verifier ends undecided.
VERIFIER_TRIES = 3


@dataclass(frozen=True)
class _Order:
    batch: Batch
    verifier: VerifierRow
    problem: Problem
    completions: list[StoredCompletion]
    known: Mapping[int, KnownVerdict]


class Verification:
    """Judges batches, one at a time; verifiers stay open between batches."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._heartbeat = Heartbeat(settings.lease_seconds)
        self._open: dict[int, Verifier] = {}
        self._environments: dict[int, int] = {}

    def run(self, batch_id: int, take: Take = _by_ticket) -> None:
        """Judge one batch: the one a message names or a better one; with `claim` this one, unless another has it."""
        batch = patiently(lambda: self._claim(batch_id, take))
        if batch is not None:
            with about(batch):
                self._work_off(batch)

    def _work_off(self, batch: Batch) -> None:
        try:
            with self._heartbeat.holding(batch.batch_id):
                rows = self._judge(patiently(lambda: self._order(batch)))
                send(patiently(lambda: _commit(batch, rows)))
            TALLY.add(batches=1, verdicts=len(rows))
            _LOG.info("Judged samples %d to %d.", batch.first_index, batch.end_index - 1)
        except PassatkError as error:
            _give_back(batch, str(error), final=not error.retryable)
        except Exception as error:
            _LOG.exception("Batch %d broke.", batch.batch_id)
            _give_back(batch, f"{type(error).__name__}: {error}", final=False)

    def _claim(self, batch_id: int, take: Take) -> Batch | None:
        # Committed on its own: whatever breaks from here on counts as a try of this batch.
        with transaction() as connection:
            return take(connection, batch_id, self._heartbeat.worker, self._heartbeat.lease_seconds)

    def _order(self, batch: Batch) -> _Order:
        with transaction() as connection:
            assert batch.verifier_id is not None, "a drawing batch was sent to the judges"
            row = verifier_row(connection, batch.verifier_id)
            problem = problem_row(connection, batch.problem_id)
            completions = completions_to_judge(connection, batch)
            known: Mapping[int, KnownVerdict] = {}
            verifier = self._verifier(row)
            # A repeat asks whether the verdict holds: what is known of equal completions must not answer for it.
            if verifier.expensive and batch.attempt == 0:
                known = known_verdicts(connection, batch, [one.completion_hash for one in completions])
            suite = getattr(verifier, "suite", None)
            tests = () if suite is None else tests_of(connection, batch.problem_id, suite)
        return _Order(batch, row, _problem(problem, tests), completions, known)

    def _verifier(self, row: VerifierRow) -> Verifier:
        if row.verifier_id not in self._open:
            self._open[row.verifier_id] = open_verifier(row.name, row.options)
        return self._open[row.verifier_id]

    def _judge(self, order: _Order) -> list[VerdictRow]:
        verifier = self._verifier(order.verifier)
        if verifier.version != order.verifier.version:
            raise VerifierBroken(
                f"Verifier {order.verifier.name}@{order.verifier.version} is wanted, this worker has "
                f"{verifier.version}: start a worker of that version, or judge the run again with this one's."
            )
        texts = list(
            dict.fromkeys(one.completion for one in order.completions if one.completion_hash not in order.known)
        )
        judgements = dict(zip(texts, self._judgements(order, verifier, texts), strict=True))
        here = self._environment(order, verifier) if texts else None
        rows: list[VerdictRow] = []
        first_of: dict[str, int] = {}
        for one in order.completions:
            if one.completion_hash in order.known:
                rows.append(_repeated(order, one))
                continue
            judgement = judgements[one.completion]
            first = first_of.setdefault(one.completion, one.sample_index)
            if first != one.sample_index and judgement.outcome is not Outcome.UNDECIDED:
                detail = {"same_completion_as": {"run_id": order.batch.run_id, "sample_index": first}}
                judgement = replace(judgement, seconds=0.0, detail=detail, cost=None)
            rows.append(replace(_row(order, one.sample_index, judgement), environment_id=here))
        if isinstance(verifier, Classifies):
            batch = order.batch
            return classified(verifier, order.problem, batch.problem_id, order.verifier.verifier_id, rows)
        return rows

    def _environment(self, order: _Order, verifier: Verifier) -> int | None:
        """The key of this process's environment for a verifier; None where it is so broken that it cannot say."""
        key = order.verifier.verifier_id
        if key not in self._environments:
            try:
                environment = environment_of(verifier)
            except VerifierBroken:
                return None
            self._environments[key] = patiently(lambda: _environment_id(environment))
        return self._environments[key]

    def _judgements(self, order: _Order, verifier: Verifier, texts: Sequence[str]) -> list[Judgement]:
        if not texts:
            return []
        if order.batch.tries < VERIFIER_TRIES:
            return _judged(verifier, order.problem, texts)
        # The last try: each completion alone, so that only what breaks the verifier is left undecided.
        return [judge_or_undecided(verifier, order.problem, text) for text in texts]

    def close(self) -> None:
        """Close every verifier that was opened."""
        for verifier in self._open.values():
            verifier.close()
        self._open.clear()


def _judged(verifier: Verifier, problem: Problem, texts: Sequence[str]) -> list[Judgement]:
    judgements = verifier.judge(problem, texts)
    if len(judgements) != len(texts):
        raise VerifierBroken(f"Verifier {verifier.name} gave {len(judgements)} judgements of {len(texts)} completions.")
    return judgements


def judge_or_undecided(verifier: Verifier, problem: Problem, text: str) -> Judgement:
    """One completion's judgement; undecided, with the error, where it breaks the verifier. Raises what is final."""
    try:
        return _judged(verifier, problem, [text])[0]
    except Exception as error:
        # Whatever breaks in a verifier is the verifier's fault, never the sample's.
        if isinstance(error, PassatkError) and not error.retryable:
            raise
        return Judgement(Outcome.UNDECIDED, Reason.VERIFIER_ERROR, detail={"error": f"{type(error).__name__}: {error}"})


def _environment_id(environment: Environment) -> int:
    with transaction() as connection:
        return ensure_environment(connection, environment.tier, environment.detail)


def _problem(row: ProblemRow, tests: Sequence[TestRow]) -> Problem:
    generated = tuple(GeneratedTest(test.test_id, test.code, test.expected) for test in tests)
    return Problem(row.key, row.prompt, row.reference_answer, row.tests, row.entry_point, row.metadata, generated)


def _row(order: _Order, sample_index: int, judgement: Judgement) -> VerdictRow:
    batch = order.batch
    return VerdictRow(
        run_id=batch.run_id,
        problem_id=batch.problem_id,
        sample_index=sample_index,
        verifier_id=order.verifier.verifier_id,
        attempt=batch.attempt,
        batch_id=batch.batch_id,
        outcome=judgement.outcome.value,
        reason=None if judgement.reason is None else judgement.reason.value,
        answer=judgement.answer,
        score=judgement.score,
        seconds=judgement.seconds,
        detail=judgement.detail,
        answer_class=judgement.answer_class,
        weak=judgement.weak,
        tests=[(test.test_id, test.outcome.value, test.reason and test.reason.value) for test in judgement.tests],
        steps=judgement.steps,
        cost=None if judgement.cost is None else _cost_row(judgement.cost),
    )


def _cost_row(cost: JudgingCost) -> CostRow:
    values = asdict(cost)
    name = values.pop("model")
    if name is not None and cost.model_id is None:
        values["model_id"] = patiently(lambda: _model_id(name))
    return CostRow(**values)


def _model_id(name: str) -> int:
    with transaction() as connection:
        return ensure_model(connection, name, "openai").model_id


def _repeated(order: _Order, one: StoredCompletion) -> VerdictRow:
    known = order.known[one.completion_hash]
    source = {"run_id": known.run_id, "sample_index": known.sample_index}
    judgement = Judgement(Outcome(known.outcome), None if known.reason is None else Reason(known.reason), known.answer)
    row = _row(order, one.sample_index, judgement)
    return replace(
        row,
        score=known.score,
        detail={"same_completion_as": source},
        answer_class=known.answer_class,
        environment_id=known.environment_id,
        weak=known.weak,
        tests=known.tests,
        steps=known.steps,
    )


def _commit(batch: Batch, rows: Sequence[VerdictRow]) -> list[int]:
    """Write the verdicts; returns the draw batches that they call for."""
    with transaction() as connection:
        new = write_verdicts(connection, rows)
        mark_done(connection, {batch.batch_id: new.get(batch.batch_id, 0)})
        return steps_after(connection, batch)


def _give_back(batch: Batch, error: str, final: bool) -> None:
    def back() -> None:
        with transaction() as connection:
            hand_back(connection, batch, error, final)

    _LOG.warning("Batch %d: %s", batch.batch_id, error)
    TALLY.add(failures=1)
    patiently(back)


@functools.cache
def the_verification() -> Verification:
    """This process's verification."""
    return Verification(WorkerSettings.from_environment())
