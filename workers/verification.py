"""Judge a batch: lease it, judge each different completion once, write the verdicts. Runs without Celery."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from store.batches import Batch, claim, hand_back, mark_done
from store.connection import patiently, transaction
from store.errors import PassatkError
from store.verdicts import StoredCompletion, VerdictRow, completions_to_judge, known_verdicts, write_verdicts
from store.verifier_registry import VerifierRow, verifier_row
from store.work import problem_row
from workers.errors import VerifierBroken
from workers.heartbeat import Heartbeat
from workers.settings import WorkerSettings
from workers.verifiers import open_verifier
from workers.verifiers.protocol import Judgement, Outcome, Problem, Reason, Verifier

_LOG = logging.getLogger(__name__)

#: After this many tries of a batch, what still breaks the verifier ends undecided.
VERIFIER_TRIES = 3


@dataclass(frozen=True)
class _Order:
    batch: Batch
    verifier: VerifierRow
    problem: Problem
    completions: list[StoredCompletion]
    known: Mapping[int, tuple[Any, ...]]


class Verification:
    """Judges batches, one at a time; verifiers stay open between batches."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._heartbeat = Heartbeat(settings.lease_seconds)
        self._open: dict[int, Verifier] = {}

    def run(self, batch_id: int) -> None:
        """Judge one batch, unless it is done or another worker has it."""
        batch = patiently(lambda: self._claim(batch_id))
        if batch is None:
            return
        try:
            with self._heartbeat.holding(batch.batch_id):
                rows = self._judge(patiently(lambda: self._order(batch)))
                patiently(lambda: _commit(batch, rows))
        except PassatkError as error:
            _give_back(batch, str(error), final=not error.retryable)
        except Exception as error:
            _LOG.exception("Batch %d broke.", batch.batch_id)
            _give_back(batch, f"{type(error).__name__}: {error}", final=False)

    def _claim(self, batch_id: int) -> Batch | None:
        # Committed on its own: whatever breaks from here on counts as a try of this batch.
        with transaction() as connection:
            return claim(connection, batch_id, self._heartbeat.worker, self._heartbeat.lease_seconds)

    def _order(self, batch: Batch) -> _Order:
        with transaction() as connection:
            assert batch.verifier_id is not None, "a drawing batch was sent to the judges"
            row = verifier_row(connection, batch.verifier_id)
            problem = problem_row(connection, batch.problem_id)
            completions = completions_to_judge(connection, batch)
            known: Mapping[int, tuple[Any, ...]] = {}
            if self._verifier(row).expensive and batch.attempt == 0:
                known = known_verdicts(connection, batch, [one.completion_hash for one in completions])
        return _Order(batch, row, _problem(problem), completions, known)

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
                judgement = replace(judgement, seconds=0.0, detail=detail)
            rows.append(_row(order, one.sample_index, judgement))
        return rows

    def _judgements(self, order: _Order, verifier: Verifier, texts: Sequence[str]) -> list[Judgement]:
        if not texts:
            return []
        if order.batch.tries < VERIFIER_TRIES:
            return _judged(verifier, order.problem, texts)
        # The last try: each completion alone, so that only what breaks the verifier is left undecided.
        return [_judge_or_undecided(verifier, order.problem, text) for text in texts]

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


def _judge_or_undecided(verifier: Verifier, problem: Problem, text: str) -> Judgement:
    try:
        return _judged(verifier, problem, [text])[0]
    except Exception as error:
        # Whatever breaks in a verifier is the verifier's fault, never the sample's.
        if isinstance(error, PassatkError) and not error.retryable:
            raise
        return Judgement(Outcome.UNDECIDED, Reason.VERIFIER_ERROR, detail={"error": f"{type(error).__name__}: {error}"})


def _problem(row: Any) -> Problem:
    return Problem(row.key, row.prompt, row.reference_answer, row.tests, row.entry_point, row.metadata)


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
    )


def _repeated(order: _Order, one: StoredCompletion) -> VerdictRow:
    outcome, reason, answer, score, run_id, sample_index = order.known[one.completion_hash]
    detail = {"same_completion_as": {"run_id": run_id, "sample_index": sample_index}}
    judgement = Judgement(Outcome(outcome), None if reason is None else Reason(reason), answer, score, detail=detail)
    return _row(order, one.sample_index, judgement)


def _commit(batch: Batch, rows: Sequence[VerdictRow]) -> None:
    with transaction() as connection:
        new = write_verdicts(connection, rows)
        mark_done(connection, {batch.batch_id: new.get(batch.batch_id, 0)})


def _give_back(batch: Batch, error: str, final: bool) -> None:
    def back() -> None:
        with transaction() as connection:
            hand_back(connection, batch, error, final)

    _LOG.warning("Batch %d: %s", batch.batch_id, error)
    patiently(back)


@functools.cache
def the_verification() -> Verification:
    """This process's verification."""
    return Verification(WorkerSettings.from_environment())
