"""Runs that are held, ended and put first; batches that were set aside; tickets that find the best batch."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from store import run_control
from store.batches import Batch, follow_with_verification, hand_back, mark_done
from store.connection import transaction
from store.progress import run_progress
from store.runs import Run, find_run
from store.tickets import claim_by_tickets, mark_sent, messages


def _take(batch_id: int, worker: str = "w") -> Batch | None:
    with transaction() as connection:
        return next(iter(claim_by_tickets(connection, [batch_id], worker, 60)), None)


def _taken(batch_id: int) -> int | None:
    batch = _take(batch_id)
    return None if batch is None else batch.batch_id


def _sent(workshop: Any, run: Run, count: int, **columns: Any) -> list[int]:
    """Batches of the run's first problem, planned and sent."""
    problem = workshop.problems(run)[0]
    ids = [workshop.batch(run, problem, n, n + 1, **columns) for n in range(count)]
    with transaction() as connection:
        mark_sent(connection, messages(connection, ids))
    return ids


@pytest.fixture
def run(workshop: Any) -> Run:
    return workshop.run(name="big")


class TestTickets:
    """One message, one batch; which one is the store's choice."""

    def test_its_own_batch(self, workshop: Any, run: Run) -> None:
        ids = _sent(workshop, run, 3)
        assert [_taken(id_) for id_ in reversed(ids)] == ids[::-1]
        assert _taken(ids[0]) is None

    def test_a_run_of_higher_priority_overtakes(self, workshop: Any, run: Run) -> None:
        early = _sent(workshop, run, 3)
        urgent = workshop.run(name="urgent", samples=9)
        with transaction() as connection:
            run_control.set_priority(connection, urgent.run_id, 5)
        late = _sent(workshop, urgent, 2)
        # Five messages, in the order they were sent: the urgent run's batches come first, and none is left out.
        assert [_taken(id_) for id_ in [*early, *late]] == [*late, early[2], *early[:2]]

    def test_a_lower_priority_waits(self, workshop: Any, run: Run) -> None:
        with transaction() as connection:
            run_control.set_priority(connection, run.run_id, -1)
        early, late = _sent(workshop, run, 1), _sent(workshop, workshop.run(name="usual", samples=9), 1)
        assert [_taken(id_) for id_ in [*early, *late]] == [*late, *early]

    def test_priority_does_not_cross_queues(self, workshop: Any, run: Run) -> None:
        (mine,) = _sent(workshop, run, 1)
        other = workshop.run(name="other model", model="huge")
        judged = workshop.run(name="judged", samples=9)
        with transaction() as connection:
            run_control.set_priority(connection, other.run_id, 9)
            run_control.set_priority(connection, judged.run_id, 9)
        (theirs,) = _sent(workshop, other, 1)
        (judging,) = _sent(workshop, judged, 1, verifier_id=workshop.verifier())
        assert _taken(mine) == mine
        assert _taken(judging) == judging
        assert _taken(theirs) == theirs

    def test_a_doubled_message_does_the_work_of_a_lost_one(self, workshop: Any, run: Run) -> None:
        first, second, _ = _sent(workshop, run, 3)
        assert [_taken(first), _taken(first)] == [first, second]

    def test_what_was_not_sent_is_not_taken_by_another_ticket(self, workshop: Any, run: Run) -> None:
        """What was given back waits for the sweeper, so that its tries are not used up at once."""
        first, second = _sent(workshop, run, 2)
        batch = _take(first)
        assert batch is not None
        with transaction() as connection:
            hand_back(connection, batch, "hiccup")
        assert _taken(second) == second
        assert _taken(second) is None
        assert _taken(first) == first

    def test_a_message_of_several_takes_as_many(self, workshop: Any, run: Run) -> None:
        ids = _sent(workshop, run, 5)
        urgent = workshop.run(name="urgent", samples=9)
        with transaction() as connection:
            run_control.set_priority(connection, urgent.run_id, 1)
        late = _sent(workshop, urgent, 2)

        def take(*tickets: int) -> list[int]:
            with transaction() as connection:
                return [batch.batch_id for batch in claim_by_tickets(connection, tickets, "w", 60)]

        assert take(*ids[:3]) == [*late, ids[0]]
        assert take(*ids[:3]) == ids[1:4]  # two of its own are left, and one that has not been taken
        assert take(*ids[3:]) == ids[4:]
        assert take(*late) == []

    def test_the_rest_of_a_paused_run_lends_its_tickets(self, workshop: Any, run: Run) -> None:
        (held,) = _sent(workshop, run, 1)
        (other,) = _sent(workshop, workshop.run(name="other", samples=9), 1)
        with transaction() as connection:
            run_control.pause(connection, run)
        assert [_taken(held), _taken(other)] == [other, None]


def test_pause_and_resume(workshop: Any, run: Run) -> None:
    ids = _sent(workshop, run, 3)
    assert _taken(ids[0]) == ids[0]
    with transaction() as connection:
        assert run_control.pause(connection, run) == 2
        assert find_run(connection, "big").state == "paused"
    assert _taken(ids[1]) is None
    with transaction() as connection:
        assert run_progress(connection, run).run_state == "paused"
        assert run_control.resume(connection, run) == ids[1:]
    assert _taken(ids[1]) == ids[1]


def test_cancel_drops_what_waits_and_keeps_what_is_in_work(workshop: Any, run: Run) -> None:
    ids = _sent(workshop, run, 3)
    batch = _take(ids[0])
    assert batch is not None
    with transaction() as connection:
        assert run_control.cancel(connection, run) == 2
    assert [_taken(id_) for id_ in ids] == [None] * 3
    with transaction() as connection:
        mark_done(connection, {batch.batch_id: 1})
        assert follow_with_verification(connection, [batch]) == [[]]
    assert workshop.rows("SELECT state FROM store.batches ORDER BY batch_id") == [
        ("done",),
        ("cancelled",),
        ("cancelled",),
    ]


def test_what_was_set_aside_is_listed_and_tried_again(workshop: Any, run: Run) -> None:
    first, second = _sent(workshop, run, 2)
    for batch_id in (first, second):
        batch = _take(batch_id)
        assert batch is not None
        with transaction() as connection:
            assert hand_back(connection, batch, f"poison {batch_id}", final=True)
    with transaction() as connection:
        found = run_control.failed_batches(connection, run)
    assert [(one.batch_id, one.problem_key, one.verifier, one.tries, one.error) for one in found] == [
        (first, "p0", None, 1, f"poison {first}"),
        (second, "p0", None, 1, f"poison {second}"),
    ]
    with transaction() as connection:
        assert run_control.retry_failed(connection, run) == [first, second]
        assert run_control.failed_batches(connection, run) == []
    batch = _take(first)
    assert batch is not None
    assert batch.tries == 1


def test_a_priority_that_cannot_be_is_refused(run: Run) -> None:
    with pytest.raises(run_control.BadPriority, match="give -1000 to 1000"), transaction() as connection:
        run_control.set_priority(connection, run.run_id, 40_000)


def test_taking_sending_and_finishing_many_at_once_never_wait_for_each_other(workshop: Any, run: Run) -> None:
    """Whoever locks several batches takes them in one order, or passes over what another holds."""
    ids = _sent(workshop, run, 60)

    def take(shuffled: list[int]) -> int:
        taken = 0
        for start in range(0, len(shuffled), 6):
            with transaction() as connection:
                found = claim_by_tickets(connection, shuffled[start : start + 6], "w", 60)
                mark_done(connection, {batch.batch_id: 1 for batch in reversed(found)})
                taken += len(found)
        return taken

    def send(shuffled: list[int]) -> int:
        for _ in range(10):
            with transaction() as connection:
                mark_sent(connection, messages(connection, shuffled))
        return 0

    orders = [random.Random(seed).sample(ids, len(ids)) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        works = [pool.submit(take if n % 2 else send, order) for n, order in enumerate(orders)]
        assert sum(work.result(120) for work in works) == len(ids)
