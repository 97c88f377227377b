"""Batches: leased to one worker at a time, given back, taken back, and sent again only when their message is gone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from store import batches
from store.batches import MAX_TRIES, Batch, ReadyQueue
from store.connection import transaction
from store.runs import Run
from store.tickets import SAMPLES_A_MESSAGE, Message, mark_sent, messages


def _claim(batch_id: int, worker: str = "a", lease: float = 60.0) -> Batch | None:
    with transaction() as connection:
        return batches.claim(connection, batch_id, worker, lease)


def _hand_back(batch: Batch, error: str = "it broke", final: bool = False) -> bool:
    with transaction() as connection:
        return batches.hand_back(connection, batch, error, final)


def _sweep() -> int:
    with transaction() as connection:
        return batches.sweep_expired(connection)


def _age(workshop: Any, batch_id: int, **seconds: float) -> None:
    """Set times of a batch to so many seconds ago."""
    for column, ago in seconds.items():
        workshop.rows(
            f"UPDATE store.batches SET {column} = now() - make_interval(secs => :ago) WHERE batch_id = :id",  # noqa: S608
            ago=ago,
            id=batch_id,
        )


def _state(workshop: Any, batch_id: int) -> tuple[Any, ...]:
    query = "SELECT state, tries, leased_by, error FROM store.batches WHERE batch_id = :id"
    return tuple(workshop.rows(query, id=batch_id)[0])


@pytest.fixture
def run(workshop: Any) -> Run:
    return workshop.run(problems=1, samples=64)


@pytest.fixture
def problem(workshop: Any, run: Run) -> int:
    return int(workshop.problems(run)[0])


@pytest.fixture
def batch_id(workshop: Any, run: Run, problem: int) -> int:
    return int(workshop.batch(run, problem, 8, 16))


class TestClaim:
    def test_says_what_to_do(self, workshop: Any, run: Run, problem: int, batch_id: int) -> None:
        batch = _claim(batch_id)
        assert batch == Batch(batch_id, run.run_id, problem, None, 0, 8, 16, 1, "small")
        assert list(batch.indexes) == list(range(8, 16))
        assert _state(workshop, batch_id) == ("leased", 1, "a", None)

    def test_one_of_many_workers_gets_it(self, batch_id: int) -> None:
        start = threading.Barrier(8)

        def take(name: str) -> Batch | None:
            start.wait()
            return _claim(batch_id, name)

        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(take, "abcdefgh"))
        assert sum(batch is not None for batch in taken) == 1

    def test_many_workers_share_many_batches(self, workshop: Any, run: Run, problem: int) -> None:
        ids = [workshop.batch(run, problem, n, n + 1) for n in range(20)]
        with ThreadPoolExecutor(6) as pool:
            taken = [batch for batch in pool.map(_claim, ids * 3) if batch]
        assert Counter(batch.batch_id for batch in taken) == dict.fromkeys(ids, 1)

    @pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
    def test_closed_batches_are_not_given_out(self, workshop: Any, run: Run, problem: int, state: str) -> None:
        batch_id = workshop.batch(run, problem, 0, 1, state=state)
        assert _claim(batch_id) is None
        assert _state(workshop, batch_id)[:2] == (state, 0)

    @pytest.mark.parametrize("state", ["paused", "cancelled"])
    def test_nothing_of_a_stopped_run_is_given_out(self, workshop: Any, batch_id: int, state: str) -> None:
        workshop.rows("UPDATE store.runs SET state = :state", state=state)
        assert _claim(batch_id) is None
        workshop.rows("UPDATE store.runs SET state = 'open'")
        assert _claim(batch_id) is not None

    def test_an_unknown_batch_is_nothing(self, run: Run) -> None:
        assert _claim(12345) is None

    def test_an_ended_lease_goes_to_the_next(self, workshop: Any, batch_id: int) -> None:
        _claim(batch_id, "a", 60)
        assert _claim(batch_id, "b") is None
        _age(workshop, batch_id, lease_until=0.1)
        second = _claim(batch_id, "b")
        assert second is not None
        assert second.tries == 2
        assert _state(workshop, batch_id) == ("leased", 2, "b", None)


class TestLeases:
    def test_are_extended_by_their_worker_alone(self, workshop: Any, batch_id: int) -> None:
        _claim(batch_id, "a", 1)
        for worker, longer in (("b", False), ("a", True)):
            with transaction() as connection:
                batches.extend_leases(connection, [batch_id], worker, 1000)
            query = "SELECT lease_until > now() + interval '900 seconds' FROM store.batches"
            assert workshop.one(query) is longer

    def test_of_closed_batches_are_not_extended(self, workshop: Any, batch_id: int) -> None:
        batch = _claim(batch_id, "a", 1)
        assert batch is not None
        _hand_back(batch)
        with transaction() as connection:
            batches.extend_leases(connection, [batch_id], "a", 1000)
        assert workshop.one("SELECT lease_until FROM store.batches") is None


class TestHandBack:
    def test_makes_it_ready_with_its_error(self, workshop: Any, batch_id: int) -> None:
        batch = _claim(batch_id)
        assert batch is not None
        assert _hand_back(batch) is False
        assert _state(workshop, batch_id) == ("ready", 1, None, "it broke")
        assert workshop.one("SELECT enqueued_at FROM store.batches") is None

    def test_ends_failed_after_the_last_try(self, workshop: Any, batch_id: int) -> None:
        for attempt in range(1, MAX_TRIES + 1):
            batch = _claim(batch_id)
            assert batch is not None
            assert batch.tries == attempt
            assert _hand_back(batch, f"try {attempt}") is (attempt == MAX_TRIES)
        assert _state(workshop, batch_id) == ("failed", MAX_TRIES, None, f"try {MAX_TRIES}")
        assert _claim(batch_id) is None

    def test_ends_failed_at_once_when_nothing_can_help(self, workshop: Any, batch_id: int) -> None:
        batch = _claim(batch_id)
        assert batch is not None
        assert _hand_back(batch, "no such model", final=True) is True
        assert _state(workshop, batch_id) == ("failed", 1, None, "no such model")

    def test_by_a_worker_that_lost_its_lease_changes_nothing(self, workshop: Any, batch_id: int) -> None:
        slow = _claim(batch_id, "slow")
        _age(workshop, batch_id, lease_until=1)
        _claim(batch_id, "next")
        assert slow is not None
        _hand_back(slow, final=True)
        assert _state(workshop, batch_id) == ("leased", 2, "next", None)

    def test_of_a_done_batch_changes_nothing(self, workshop: Any, batch_id: int) -> None:
        batch = _claim(batch_id)
        assert batch is not None
        with transaction() as connection:
            batches.mark_done(connection, {batch_id: 8})
        _hand_back(batch)
        assert _state(workshop, batch_id)[0] == "done"

    def test_takes_any_error_text(self, workshop: Any, batch_id: int) -> None:
        batch = _claim(batch_id)
        assert batch is not None
        _hand_back(batch, "the engine said \0 and \ud800")
        assert _state(workshop, batch_id)[3] == "the engine said \ufffd and \ufffd"


class TestDone:
    def test_counts_rows_and_clears_the_lease(self, workshop: Any, batch_id: int) -> None:
        _claim(batch_id)
        with transaction() as connection:
            batches.mark_done(connection, {batch_id: 5})
        first = workshop.rows("SELECT state, row_count, error, leased_by, lease_until, done_at FROM store.batches")[0]
        assert tuple(first[:5]) == ("done", 5, None, None, None)
        with transaction() as connection:
            batches.mark_done(connection, {batch_id: 3})
        # Who finishes second adds its rows; when the batch was done does not move.
        assert workshop.rows("SELECT state, row_count, done_at FROM store.batches") == [("done", 8, first[5])]

    def test_nothing_is_nothing(self, batch_id: int) -> None:
        with transaction() as connection:
            batches.mark_done(connection, {})


class TestSweep:
    def test_takes_back_ended_leases_alone(self, workshop: Any, run: Run, problem: int, batch_id: int) -> None:
        held = workshop.batch(run, problem, 0, 8)
        _claim(held, "alive", 60)
        _claim(batch_id, "dead", 60)
        _age(workshop, batch_id, lease_until=0.1, enqueued_at=9)
        assert _sweep() == 1
        state, tries, leased_by, error = _state(workshop, batch_id)
        assert (state, tries, leased_by) == ("ready", 1, None)
        assert error == "its worker dead stopped without finishing (try 1)"
        assert workshop.one("SELECT enqueued_at FROM store.batches WHERE batch_id = :id", id=batch_id) is None
        assert _state(workshop, held)[0] == "leased"
        assert _sweep() == 0

    def test_sets_aside_what_stops_every_worker(self, workshop: Any, batch_id: int) -> None:
        for _ in range(MAX_TRIES):
            assert _state(workshop, batch_id)[0] == "ready"
            _claim(batch_id, "dead")
            _age(workshop, batch_id, lease_until=1)
            assert _sweep() == 1
        assert _state(workshop, batch_id)[0] == "failed"

    def test_waits_for_nobody(self, workshop: Any, batch_id: int) -> None:
        _claim(batch_id)
        _age(workshop, batch_id, lease_until=1)
        with transaction() as other:
            batches.mark_done(other, {batch_id: 8})  # its rows are being written right now
            assert _sweep() == 0
        assert _state(workshop, batch_id)[0] == "done"


PATIENCE = 30.0


def _lost(quiet: Sequence[ReadyQueue] = ()) -> list[int]:
    with transaction() as connection:
        return batches.lost_batches(connection, quiet, PATIENCE)


def _queues() -> list[ReadyQueue]:
    with transaction() as connection:
        return batches.ready_queues(connection, PATIENCE)


class TestLostMessages:
    """When a message is sent again. Messages that are merely waiting must not be: the queue would fill with copies."""

    def test_never_sent(self, workshop: Any, batch_id: int) -> None:
        assert _lost() == []  # whoever planned it may be sending right now
        _age(workshop, batch_id, created_at=4)
        assert _lost() == [batch_id]
        with transaction() as connection:
            mark_sent(connection, messages(connection, [batch_id]))
        assert _lost() == []

    def test_overtaken(self, workshop: Any, run: Run, problem: int, batch_id: int) -> None:
        later = workshop.batch(run, problem, 16, 24)
        _age(workshop, batch_id, created_at=200, enqueued_at=100)
        _claim(later)
        _age(workshop, later, created_at=200, enqueued_at=90, leased_at=20)
        assert _lost() == []  # taken a moment ago: the one before it may be held by a worker that reads ahead
        _age(workshop, later, leased_at=40)
        assert _lost() == [batch_id]

    def test_overtaken_by_another_queue_is_not_overtaken(self, workshop: Any, run: Run, batch_id: int) -> None:
        other = workshop.run(problems=1, samples=64, name="other", model="other-model")
        later = workshop.batch(other, workshop.problems(other)[0], 0, 8)
        _age(workshop, batch_id, created_at=200, enqueued_at=100)
        _claim(later)
        _age(workshop, later, enqueued_at=90, leased_at=80)
        assert _lost() == []
        judged = workshop.batch(run, workshop.problems(run)[0], 0, 8, verifier_id=workshop.verifier())
        _claim(judged)
        _age(workshop, judged, enqueued_at=90, leased_at=80)
        assert _lost() == []

    def test_waiting_behind_earlier_ones_is_not_lost(self, workshop: Any, run: Run, problem: int) -> None:
        done, *waiting = [workshop.batch(run, problem, n, n + 1) for n in range(10)]
        _claim(done)
        for place, batch_id in enumerate([done, *waiting]):
            _age(workshop, batch_id, created_at=1000, enqueued_at=500 - place)
        _age(workshop, done, leased_at=60)
        assert _lost() == []

    def test_a_batch_sent_again_overtakes_nobody_before_it_is_taken_again(
        self, workshop: Any, run: Run, problem: int
    ) -> None:
        returned, *waiting = [workshop.batch(run, problem, n, n + 1) for n in range(10)]
        batch = _claim(returned)
        assert batch is not None
        _hand_back(batch, "a passing error")
        # Taken long ago, given back, and its second message was sent after those that still wait.
        _age(workshop, returned, created_at=1000, leased_at=300, enqueued_at=40)
        for batch_id in waiting:
            _age(workshop, batch_id, created_at=1000, enqueued_at=200)
        assert _lost() == []

    def test_a_quiet_queue_with_fewer_messages(self, workshop: Any, batch_id: int) -> None:
        _age(workshop, batch_id, created_at=200, enqueued_at=29)
        (queue,) = _queues()
        assert queue == ReadyQueue(queue.key, "tiny", 1, True)
        assert _lost([queue]) == []  # not silent for long enough
        _age(workshop, batch_id, enqueued_at=31)
        assert _lost([]) == []
        assert _lost([queue]) == [batch_id]
        assert _lost([ReadyQueue(queue.key + 1, "other", 1, True), ReadyQueue(0, None, 1, True)]) == []

    def test_of_a_stopped_run_nothing_is_sent(self, workshop: Any, batch_id: int) -> None:
        _age(workshop, batch_id, created_at=200)
        workshop.rows("UPDATE store.runs SET state = 'paused'")
        assert _lost() == []
        assert _queues() == []

    def test_oldest_first_and_bounded(self, workshop: Any, run: Run, problem: int) -> None:
        workshop.rows(
            "INSERT INTO store.batches (run_id, problem_id, first_index, end_index, created_at)"
            " SELECT :run, :problem, n, n + 1, now() - interval '1 minute' FROM generate_series(0, 5999) AS n",
            run=run.run_id,
            problem=problem,
        )
        lost = _lost()
        assert len(lost) == 5000
        assert lost == sorted(lost)
        assert lost[0] == workshop.one("SELECT min(batch_id) FROM store.batches")


class TestQueues:
    def test_counts_what_waits_for_each(self, workshop: Any, run: Run, problem: int) -> None:
        other = workshop.run(problems=1, samples=4, name="other", model="other-model")
        verifier = workshop.verifier()
        for n in range(3):
            workshop.batch(run, problem, n, n + 1)
        workshop.batch(other, workshop.problems(other)[0], 0, 4, verifier_id=verifier)
        workshop.batch(run, problem, 0, 4, verifier_id=verifier)
        queues = {queue.model_name: queue for queue in _queues()}
        assert {name: queue.messages for name, queue in queues.items()} == {"tiny": 3, None: 2}
        assert queues[None].key == 0
        assert all(queue.quiet for queue in queues.values())

    def test_is_not_quiet_while_batches_are_taken(self, workshop: Any, run: Run, problem: int, batch_id: int) -> None:
        taken = workshop.batch(run, problem, 0, 1)
        _claim(taken)
        assert [queue.quiet for queue in _queues()] == [False]
        _age(workshop, taken, leased_at=29)
        assert [queue.quiet for queue in _queues()] == [False]
        _age(workshop, taken, leased_at=31)
        assert [queue.quiet for queue in _queues()] == [True]

    def test_batches_that_came_with_one_message_count_once(self, workshop: Any, run: Run, problem: int) -> None:
        ids = [workshop.batch(run, problem, n, n + 1) for n in range(3)]
        with transaction() as connection:
            mark_sent(connection, messages(connection, ids))
        assert [queue.messages for queue in _queues()] == [1]


class TestMessages:
    """Which batches are sent together."""

    def _cut(self, *ids: int) -> list[Message]:
        with transaction() as connection:
            return messages(connection, ids)

    def test_each_knows_its_queue(self, workshop: Any, run: Run, problem: int, batch_id: int) -> None:
        judged = workshop.batch(run, problem, 0, 1, verifier_id=workshop.verifier())
        assert self._cut(batch_id, judged, 999) == [Message("tiny", (batch_id,)), Message(None, (judged,))]

    def test_small_batches_of_a_run_go_together(self, workshop: Any, run: Run, problem: int) -> None:
        single = [workshop.batch(run, problem, n, n + 1) for n in range(SAMPLES_A_MESSAGE + 1)]
        assert self._cut(*single) == [Message("tiny", tuple(single[:-1])), Message("tiny", (single[-1],))]
        whole = [workshop.batch(run, problem, n, n + SAMPLES_A_MESSAGE) for n in range(2)]
        assert self._cut(*whole) == [Message("tiny", (one,)) for one in whole]

    def test_other_runs_and_verifiers_go_apart(self, workshop: Any, run: Run, problem: int) -> None:
        other = workshop.run(problems=1, name="other", samples=9)
        mixed = [
            workshop.batch(run, problem, 0, 1),
            workshop.batch(other, problem, 0, 1),
            workshop.batch(other, problem, 1, 2, verifier_id=workshop.verifier("answer")),
            workshop.batch(other, problem, 2, 3, verifier_id=workshop.verifier("chain")),
        ]
        assert [message.batch_ids for message in self._cut(*mixed)] == [(one,) for one in mixed]


class TestFollowers:
    """What must be judged after a batch was drawn."""

    def _follow(self, batch: Batch) -> list[int]:
        with transaction() as connection:
            return batches.follow_with_verification(connection, [batch])[0]

    def test_one_for_each_verifier_once(self, workshop: Any) -> None:
        run = workshop.run(problems=1, verifiers=[("answer", "1"), ("chain", "1")])
        problem = workshop.problems(run)[0]
        batch = _claim(workshop.batch(run, problem, 2, 6))
        assert batch is not None
        ids = self._follow(batch)
        made = workshop.rows(
            "SELECT batch_id, verifier_id, attempt, first_index, end_index, state FROM store.batches"
            " WHERE verifier_id IS NOT NULL ORDER BY verifier_id"
        )
        assert sorted(row[0] for row in made) == sorted(ids)
        assert [row[1:] for row in made] == [
            (workshop.verifier(name), 0, 2, 6, "ready") for name in ("answer", "chain")
        ]
        assert self._follow(batch) == []  # the batch was drawn a second time

    def test_again_where_the_first_was_called_off(self, workshop: Any) -> None:
        run = workshop.run(problems=1, verifiers=[("answer", "1")])
        batch = _claim(workshop.batch(run, workshop.problems(run)[0], 0, 8))
        assert batch is not None
        self._follow(batch)
        workshop.rows("UPDATE store.batches SET state = 'cancelled' WHERE verifier_id IS NOT NULL")
        assert len(self._follow(batch)) == 1

    def test_nothing_without_verifiers(self, run: Run, batch_id: int) -> None:
        batch = _claim(batch_id)
        assert batch is not None
        assert self._follow(batch) == []
