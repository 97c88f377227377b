"""Drawing a batch without Celery: what is asked of the engine, what is stored, and what happens when things break.

The engine is a double; the real one has tests of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from store import connection as store_connection
from store.batches import MAX_TRIES, claim
from store.connection import StoreUnreachable, database_url, transaction
from store.fingerprint import base_seed
from store.model_registry import ensure_model
from store.runs import Run
from store.tickets import claim_by_tickets, mark_sent
from store.work import draw_order, prompts_of
from workers import generation, writer
from workers.engines import EngineIdentity, Generated, GenerationRequest, SamplingParameters
from workers.errors import BrokerUnreachable, EngineFailed, ModelNotFound, PromptTooLong
from workers.generation import Generator
from workers.settings import WorkerSettings

SETTINGS = WorkerSettings(broker_url=None, lease_seconds=60, patience_seconds=30)


class FakeEngine:
    """Answers at once with a text that says what was asked; `script` holds what to do instead, in turn."""

    def __init__(self, location: str = "tiny") -> None:
        self.location = location
        self.requests: list[GenerationRequest] = []
        self.script: list[Exception | Callable[[list[Generated]], list[Generated]]] = []
        self.living = True
        self.closed = 0

    @property
    def identity(self) -> EngineIdentity:
        return EngineIdentity("fake", "1.0", f"weights of {self.location}", "tokens", "cpu", 128)

    def check(self, request: GenerationRequest) -> None:
        """Every prompt fits."""

    def prompt_text(self, request: GenerationRequest) -> str:
        return request.prompt

    def submit(self, request: GenerationRequest) -> Future[list[Generated]]:
        self.requests.append(request)
        action = self.script.pop(0) if self.script else None
        answer: Future[list[Generated]] = Future()
        if isinstance(action, PromptTooLong):
            raise action  # as the real ones do: before anything is begun
        if isinstance(action, Exception):
            answer.set_exception(action)
            return answer
        drawn = [self.sample(request, seed) for seed in request.seeds]
        answer.set_result(action(drawn) if action else drawn)
        return answer

    @staticmethod
    def sample(request: GenerationRequest, seed: int) -> Generated:
        text = f"{request.prompt} seed {seed}"
        return Generated(text, 7, 5, len(text), "stop", None, -1.5, seed, 0.0, 0.0, 0.1, 0.1)

    def alive(self) -> bool:
        return self.living

    def close(self) -> None:
        self.closed += 1


class Bench:
    """A generator over fake engines, and what it sent on."""

    def __init__(self, workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workshop = workshop
        self.engines: list[FakeEngine] = []
        self.opened: list[tuple[str, str, dict[str, Any]]] = []
        self.sent: list[int] = []
        self.refusal: Exception | None = None
        self.plans: list[list[Any]] = []
        monkeypatch.setattr(generation, "open_engine", self._open)
        monkeypatch.setattr(generation, "enqueue", self.sent.extend)
        self.generator = Generator(SETTINGS, {"max_num_seqs": 8})

    def _open(self, location: str, backend: str, options: dict[str, Any]) -> FakeEngine:
        self.opened.append((location, backend, options))
        if self.refusal:
            raise self.refusal
        self.engines.append(FakeEngine(location))
        self.engines[-1].script = self.plans.pop(0) if self.plans else []
        return self.engines[-1]

    def batch(self, batch_id: int) -> tuple[Any, ...]:
        query = "SELECT state, tries, row_count, error FROM store.batches WHERE batch_id = :id"
        return tuple(self.workshop.rows(query, id=batch_id)[0])

    def texts(self, run: Run) -> list[tuple[Any, ...]]:
        query = "SELECT problem_id, sample_index, completion FROM store.completions WHERE run_id = :run ORDER BY 1, 2"
        return self.workshop.rows(query, run=run.run_id)


@pytest.fixture
def bench(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(workshop, monkeypatch)
    yield bench
    bench.generator.close()


@pytest.fixture
def run(workshop: Any) -> Run:
    return workshop.run(problems=2, samples=8, verifiers=[("answer", "1"), ("chain", "1")])


@pytest.fixture
def batch_id(workshop: Any, run: Run) -> int:
    return int(workshop.batch(run, workshop.problems(run)[1], 2, 6))


def test_a_batch_is_drawn_and_sent_on(bench: Bench, workshop: Any, run: Run, batch_id: int) -> None:
    bench.generator.run(batch_id)
    assert bench.opened == [("tiny", "vllm", {"max_num_seqs": 8})]
    (request,) = bench.engines[0].requests
    base = base_seed(run.fingerprint, "p1", 0)
    assert request.prompt == "1 + 1 = ?"
    assert request.seeds == tuple(base + index for index in range(2, 6))
    assert request.sampling == SamplingParameters(1.0, 1.0, 0, 16, ())
    assert bench.batch(batch_id) == ("done", 1, 4, None)
    problem = workshop.problems(run)[1]
    expected = [(problem, index, f"1 + 1 = ? seed {base + index}") for index in range(2, 6)]
    assert bench.texts(run) == expected
    assert workshop.rows(
        "SELECT DISTINCT e.engine, e.engine_version, e.model_revision, e.device, s.request_samples, s.prompt_tokens,"
        " s.cached_prompt_tokens, s.finish_reason, s.cumulative_logprob, s.seed - s.sample_index, s.batch_id"
        " FROM store.samples AS s JOIN store.engines AS e USING (engine_id)"
    ) == [("fake", "1.0", "weights of tiny", "cpu", 4, 7, 5, "stop", -1.5, base, batch_id)]
    followers = workshop.rows(
        "SELECT batch_id, first_index, end_index FROM store.batches WHERE verifier_id IS NOT NULL ORDER BY 1"
    )
    assert followers == [(id_, 2, 6) for id_ in sorted(bench.sent)]
    assert len(followers) == 2


def test_a_message_delivered_twice_draws_once(bench: Bench, run: Run, batch_id: int) -> None:
    bench.generator.run(batch_id)
    bench.generator.run(batch_id)
    assert len(bench.engines[0].requests) == 1
    assert bench.batch(batch_id) == ("done", 1, 4, None)


def test_many_threads_draw_everything_once(bench: Bench, workshop: Any) -> None:
    run = workshop.run(problems=4, samples=32, name="wide")
    ids = [workshop.batch(run, problem, n, n + 4) for n in range(0, 32, 4) for problem in workshop.problems(run)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(bench.generator.run, ids * 2))
    assert len(bench.engines) == 1
    assert len(bench.engines[0].requests) == len(ids)
    assert [row[:2] for row in bench.texts(run)] == [(p, n) for p in workshop.problems(run) for n in range(32)]
    assert {bench.batch(batch_id)[:3] for batch_id in ids} == {("done", 1, 4)}


def test_nothing_of_a_paused_run_is_drawn(bench: Bench, workshop: Any, batch_id: int) -> None:
    workshop.rows("UPDATE store.runs SET state = 'paused'")
    bench.generator.run(batch_id)
    assert bench.opened == []
    assert bench.batch(batch_id)[0] == "ready"


def test_a_batch_that_was_drawn_by_two_is_stored_once_and_the_same(
    bench: Bench, workshop: Any, run: Run, batch_id: int
) -> None:
    def overtaken(drawn: list[Generated]) -> list[Generated]:
        # While this worker was away its lease ended and another drew the batch.
        workshop.rows("UPDATE store.batches SET lease_until = now() - interval '1 second'")
        bench.generator.run(batch_id)
        return drawn

    bench.plans = [[overtaken]]
    bench.generator.run(batch_id)
    first, second = bench.engines[0].requests
    assert first == second
    assert bench.batch(batch_id) == ("done", 2, 4, None)
    assert len(bench.texts(run)) == 4
    assert len(bench.sent) == 2  # judged once by each verifier


@pytest.mark.parametrize("error", [EngineFailed("the engine stopped\nat once"), RuntimeError("CUDA \0 error")])
def test_a_passing_error_is_tried_again(bench: Bench, run: Run, batch_id: int, error: Exception) -> None:
    bench.plans = [[error]]
    bench.generator.run(batch_id)
    state, tries, rows, text = bench.batch(batch_id)
    assert (state, tries, rows) == ("ready", 1, None)
    assert str(error).replace("\0", "\ufffd") in text
    assert bench.texts(run) == []
    bench.generator.run(batch_id)
    assert bench.batch(batch_id) == ("done", 2, 4, None)


def test_an_error_that_stays_is_set_aside(bench: Bench, run: Run, batch_id: int) -> None:
    bench.plans = [[EngineFailed("out of memory")] * (MAX_TRIES + 1)]
    for _ in range(MAX_TRIES + 1):
        bench.generator.run(batch_id)
    assert bench.batch(batch_id) == ("failed", MAX_TRIES, None, "out of memory")
    assert len(bench.engines[0].requests) == MAX_TRIES
    assert (bench.texts(run), bench.sent) == ([], [])


def test_an_unknown_model_is_set_aside_at_once(bench: Bench, batch_id: int) -> None:
    bench.refusal = ModelNotFound("no model in ./tiny")
    bench.generator.run(batch_id)
    assert bench.batch(batch_id) == ("failed", 1, None, "no model in ./tiny")


def test_a_prompt_that_is_too_long_names_its_problem(bench: Bench, workshop: Any, run: Run, batch_id: int) -> None:
    bench.plans = [[PromptTooLong("900 tokens, the model takes 128")]]
    bench.generator.run(batch_id)
    expected = "problem p1: 900 tokens, the model takes 128"
    assert bench.batch(batch_id) == ("failed", 1, None, expected)
    # The other problems of the run are drawn all the same.
    other = workshop.batch(run, workshop.problems(run)[0], 0, 4)
    bench.generator.run(other)
    assert bench.batch(other)[0] == "done"


@pytest.mark.parametrize("change", [lambda drawn: drawn[:-1], lambda drawn: [*drawn, drawn[0]], lambda drawn: []])
def test_a_wrong_number_of_samples_stores_none(
    bench: Bench, run: Run, batch_id: int, change: Callable[[list[Generated]], list[Generated]]
) -> None:
    bench.plans = [[change]]
    bench.generator.run(batch_id)
    state, _, _, error = bench.batch(batch_id)
    assert state == "ready"
    assert "4 samples" in error
    assert bench.texts(run) == []


def test_text_that_postgres_cannot_hold_is_stored_replaced(bench: Bench, run: Run, batch_id: int) -> None:
    bench.plans = [[lambda drawn: [replace(one, text="a\0b\ud83d") for one in drawn]]]
    bench.generator.run(batch_id)
    assert {text for _, _, text in bench.texts(run)} == {"a\ufffdb\ufffd"}


def test_a_dead_engine_is_opened_anew(bench: Bench, workshop: Any, run: Run, batch_id: int) -> None:
    bench.generator.run(batch_id)
    bench.engines[0].living = False
    bench.generator.run(workshop.batch(run, workshop.problems(run)[0], 0, 2))
    assert len(bench.engines) == 2
    assert bench.engines[0].closed == 1
    assert len(bench.texts(run)) == 6


def test_another_model_takes_the_engines_place(bench: Bench, workshop: Any, run: Run, batch_id: int) -> None:
    workshop.rows('UPDATE store.models SET options = \'{"seed": 1, "max_num_seqs": 4}\'')
    bench.generator.run(batch_id)
    other = workshop.run(problems=1, samples=2, name="other", model="other")
    bench.generator.run(workshop.batch(other, workshop.problems(other)[0], 0, 2))
    # What the command line says of the engine wins over what is stored with the model.
    assert bench.opened == [("tiny", "vllm", {"seed": 1, "max_num_seqs": 8}), ("other", "vllm", {"max_num_seqs": 8})]
    assert [engine.closed for engine in bench.engines] == [1, 0]
    used = workshop.rows(
        "SELECT DISTINCT s.run_id, e.model_revision FROM store.samples AS s JOIN store.engines AS e USING (engine_id)"
        " ORDER BY 1"
    )
    assert used == [(run.run_id, "weights of tiny"), (other.run_id, "weights of other")]


def test_samples_name_the_engine_that_drew_them(bench: Bench, workshop: Any, run: Run, batch_id: int) -> None:
    with transaction() as connection:
        other = ensure_model(connection, "other", "vllm")

    def switched(drawn: list[Generated]) -> list[Generated]:
        bench.generator.load(other)  # another thread's batch is of another model
        return drawn

    bench.plans = [[switched]]
    bench.generator.run(batch_id)
    query = "SELECT DISTINCT model_revision FROM store.samples JOIN store.engines USING (engine_id)"
    assert workshop.rows(query) == [("weights of tiny",)]


def test_a_lease_is_kept_while_the_engine_works(bench: Bench, batch_id: int) -> None:
    slow = Generator(WorkerSettings(None, lease_seconds=1.2, patience_seconds=30))
    taken_by_others = []

    def work(drawn: list[Generated]) -> list[Generated]:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with transaction() as connection:
                taken_by_others.append(claim(connection, batch_id, "another", 1))
            time.sleep(0.2)
        return drawn

    bench.plans = [[work]]
    slow.run(batch_id)
    slow.close()
    assert set(taken_by_others) == {None}
    assert bench.batch(batch_id) == ("done", 1, 4, None)


def test_a_broker_that_is_down_loses_nothing(
    bench: Bench, workshop: Any, batch_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: Sequence[int]) -> None:
        raise BrokerUnreachable("no broker")

    monkeypatch.setattr(generation, "enqueue", down)
    bench.generator.run(batch_id)
    assert bench.batch(batch_id) == ("done", 1, 4, None)
    waiting = workshop.rows("SELECT state, enqueued_at FROM store.batches WHERE verifier_id IS NOT NULL")
    assert waiting == [("ready", None)] * 2  # the sweeper sends them


class TestOutages:
    """The store goes away while a batch is in work."""

    def test_connections_that_died_are_replaced(self, bench: Bench, run: Run, batch_id: int) -> None:
        def cut(drawn: list[Generated]) -> list[Generated]:
            with psycopg.connect(database_url(), autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            return drawn

        bench.plans = [[cut, cut]]
        bench.generator.run(batch_id)
        assert bench.batch(batch_id) == ("done", 1, 4, None)
        assert len(bench.texts(run)) == 4

    def test_the_writer_waits_for_the_store(
        self, bench: Bench, run: Run, batch_id: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit, calls = writer._commit, []

        def flaky(group: Any) -> Any:
            calls.append(len(group))
            if len(calls) <= 3:
                raise StoreUnreachable("restarting")
            return commit(group)

        monkeypatch.setattr(writer, "_commit", flaky)
        bench.generator.run(batch_id)
        assert calls == [1] * 4
        assert bench.batch(batch_id) == ("done", 1, 4, None)

    def test_claiming_waits_for_the_store(self, bench: Bench, batch_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []

        def flaky(*arguments: Any) -> Any:
            calls.append(1)
            if len(calls) <= 2:
                raise StoreUnreachable("restarting")
            return claim_by_tickets(*arguments)

        monkeypatch.setattr(generation, "claim_by_tickets", flaky)
        bench.generator.run(batch_id)
        assert bench.batch(batch_id) == ("done", 1, 4, None)

    def test_an_engine_waits_for_its_row(self, bench: Bench, batch_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
        ensure, calls = generation.ensure_engine, []

        def flaky(*arguments: Any) -> int:
            calls.append(1)
            if len(calls) <= 2:
                raise StoreUnreachable("restarting")
            return ensure(*arguments)

        monkeypatch.setattr(generation, "ensure_engine", flaky)
        bench.generator.run(batch_id)
        assert bench.batch(batch_id) == ("done", 1, 4, None)
        assert len(bench.engines) == 1

    def test_an_engine_without_a_row_is_closed(
        self, bench: Bench, batch_id: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> int:
            raise RuntimeError("no such column")

        monkeypatch.setattr(generation, "ensure_engine", broken)
        bench.generator.run(batch_id)
        assert bench.batch(batch_id)[0] == "ready"
        assert [engine.closed for engine in bench.engines] == [1]

    def test_waiting_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []

        def down() -> None:
            calls.append(1)
            raise StoreUnreachable("gone")

        with pytest.raises(StoreUnreachable, match="gone"):
            store_connection.patiently(down, seconds=0.5)
        assert 2 <= len(calls) <= 5


def test_seeds_do_not_depend_on_batches_or_order(workshop: Any, run: Run) -> None:
    problem = workshop.problems(run)[0]
    seeds: dict[int, int] = {}
    for first, end in ((0, 8), (3, 5), (7, 8)):
        with transaction() as connection:
            batch = claim(connection, workshop.batch(run, problem, first, end), "me", 60)
            assert batch is not None
            order = draw_order(connection, batch)
        for index, seed in zip(batch.indexes, order.seeds, strict=True):
            assert seeds.setdefault(index, seed) == seed
    assert len(set(seeds.values())) == 8


def test_prompts_are_rendered_in_the_benchmarks_order(workshop: Any, run: Run) -> None:
    templated = replace(run, prompt_template="Q: {prompt}\nA:")
    with transaction() as connection:
        asked = [(key, one.text) for key, one in prompts_of(connection, templated)]
    assert asked == [("p0", "Q: 1 + 0 = ?\nA:"), ("p1", "Q: 1 + 1 = ?\nA:")]


def test_marking_nothing_as_sent_is_nothing(run: Run) -> None:
    with transaction() as connection:
        mark_sent(connection, [])


def test_engines_are_closed_with_the_generator(bench: Bench, batch_id: int) -> None:
    bench.generator.run(batch_id)
    bench.generator.close()
    assert bench.engines[0].closed == 1
    assert not any(
        thread.name == "passatk-writer" and thread is bench.generator._writer._thread
        for thread in threading.enumerate()
    )
    bench.generator = Generator(SETTINGS)
