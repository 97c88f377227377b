"""The writing thread: several batches in one transaction, and a bad one takes no neighbour along."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import psycopg
import pytest

from store.batches import Batch, claim
from store.connection import StoreUnreachable, patiently, transaction
from store.runs import Run
from store.samples import SampleRow
from workers import writer
from workers.writer import Writer


@pytest.fixture
def run(workshop: Any) -> Run:
    return workshop.run(problems=1, samples=100, verifiers=[("answer", "1")])


class Gate:
    """Holds the writer's transactions until opened, and remembers how many batches each had."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.groups: list[int] = []
        commit = writer._commit

        def held(group: Any) -> Any:
            self.opened.wait(30)
            self.groups.append(len(group))
            return commit(group)

        monkeypatch.setattr(writer, "_commit", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


@pytest.fixture
def pen(gate: Gate) -> Iterator[Writer]:
    made = Writer()
    yield made
    gate.opened.set()
    made.close()


def _batch(workshop: Any, run: Run, first: int, end: int) -> Batch:
    batch_id = workshop.batch(run, workshop.problems(run)[0], first, end)
    with transaction() as connection:
        batch = claim(connection, batch_id, "me", 60)
    assert batch is not None
    return batch


def _rows(batch: Batch, **values: Any) -> list[SampleRow]:
    return [
        SampleRow(batch.run_id, batch.problem_id, index, batch.batch_id, f"text {index}", **values)
        for index in batch.indexes
    ]


def test_what_waits_is_written_together(workshop: Any, run: Run, gate: Gate, pen: Writer) -> None:
    batches = [_batch(workshop, run, n, n + 5) for n in range(0, 50, 5)]
    written = [pen.write(batch, _rows(batch)) for batch in batches]
    gate.opened.set()
    followers = [future.result(30) for future in written]
    assert sum(gate.groups) == 10
    assert len(gate.groups) <= 2  # the first alone or with some, then all the rest
    assert workshop.rows(
        "SELECT state, row_count, count(*) FROM store.batches WHERE verifier_id IS NULL GROUP BY 1, 2"
    ) == [("done", 5, 10)]
    ranges = workshop.rows(
        "SELECT batch_id, first_index, end_index FROM store.batches WHERE verifier_id IS NOT NULL ORDER BY batch_id"
    )
    assert ranges == [(ids[0], n, n + 5) for ids, n in zip(followers, range(0, 50, 5), strict=True)]


def test_a_bad_batch_is_alone_with_its_error(workshop: Any, run: Run, gate: Gate, pen: Writer) -> None:
    good, bad, better = (_batch(workshop, run, n, n + 5) for n in (0, 5, 10))
    futures: list[Future[list[int]]] = []
    for batch in (good, bad, better):
        futures.append(pen.write(batch, _rows(batch, finish_reason=object() if batch is bad else "stop")))
    gate.opened.set()
    assert len(futures[0].result(30)) == len(futures[2].result(30)) == 1
    with pytest.raises((psycopg.Error, TypeError, AttributeError)):
        futures[1].result(30)
    assert workshop.rows(
        "SELECT first_index, state, row_count FROM store.batches WHERE verifier_id IS NULL ORDER BY 1"
    ) == [(0, "done", 5), (5, "leased", None), (10, "done", 5)]
    stored = workshop.rows("SELECT sample_index FROM store.samples ORDER BY 1")
    assert [index for (index,) in stored] == [*range(5), *range(10, 15)]


def test_closing_writes_what_was_handed_over(workshop: Any, run: Run, gate: Gate) -> None:
    pen = Writer()
    batches = [_batch(workshop, run, n, n + 1) for n in range(5)]
    written = [pen.write(batch, _rows(batch)) for batch in batches]
    gate.opened.set()
    pen.close()
    assert all(future.done() for future in written)
    assert workshop.one("SELECT count(*) FROM store.samples") == 5


def test_the_same_batch_from_two_threads_of_one_worker(workshop: Any, run: Run, gate: Gate, pen: Writer) -> None:
    batch = _batch(workshop, run, 0, 5)
    written = [pen.write(batch, _rows(batch)) for _ in range(3)]
    gate.opened.set()
    followers = [future.result(30) for future in written]
    assert sorted(len(ids) for ids in followers) == [0, 0, 1]
    assert workshop.rows("SELECT count(*), count(DISTINCT sample_index) FROM store.samples") == [(5, 5)]
    assert workshop.rows("SELECT row_count FROM store.batches WHERE verifier_id IS NULL") == [(5,)]


def test_a_store_that_stays_away_fails_every_batch_that_waited(
    workshop: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: Any) -> Any:
        raise StoreUnreachable("gone")

    monkeypatch.setattr(writer, "_commit", down)
    monkeypatch.setattr(writer, "patiently", functools.partial(patiently, seconds=0.3))
    pen = Writer()
    written = [pen.write(batch, _rows(batch)) for batch in (_batch(workshop, run, n, n + 1) for n in range(3))]
    for future in written:
        with pytest.raises(StoreUnreachable, match="gone"):
            future.result(30)
    pen.close()
    assert workshop.one("SELECT count(*) FROM store.samples") == 0
