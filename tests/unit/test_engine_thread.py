"""The thread that steps an engine: batching across callers, broken engines, closing."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from workers.engines.door import Generated, GenerationRequest, SamplingParameters, consecutive_slices
from workers.engines.engine_thread import EngineThread, Part
from workers.errors import EngineFailed, GenerationRefused, KernelMissing

SAMPLING = SamplingParameters()


def generated(seed: int) -> Generated:
    return Generated(f"s{seed}", 1, 0, 1, "stop", None, None, seed, None, None, None, 0.0)


class Scripted:
    """An engine whose parts each need as many steps as their prompt has tokens."""

    def __init__(self, on_step: Callable[[], None] = lambda: None) -> None:
        self.running: dict[str, tuple[Part, int]] = {}
        self.on_step = on_step
        self.widest = 0
        self.aborted: list[str] = []
        self.threads: set[str] = set()
        self.shut = False

    def parts(self, request: GenerationRequest) -> Iterable[tuple[int, ...]]:
        return consecutive_slices(request.seeds, 3)

    def add(self, part: Part) -> None:
        if part.seeds[0] == 666:
            raise GenerationRefused("not this one")
        self.running[part.id] = part, len(part.tokens)

    def busy(self) -> bool:
        return bool(self.running)

    def step(self) -> Iterator[tuple[str, list[Generated]]]:
        self.threads.add(threading.current_thread().name)
        self.widest = max(self.widest, len(self.running))
        self.on_step()
        for part_id, (part, left) in list(self.running.items()):
            self.running[part_id] = part, left - 1
            if left == 1:
                del self.running[part_id]
                yield part_id, [generated(seed) for seed in self.answered(part)]

    def answered(self, part: Part) -> Sequence[int]:
        return part.seeds

    def abort(self, ids: Sequence[str]) -> None:
        self.aborted += ids
        for part_id in ids:
            self.running.pop(part_id, None)

    def shutdown(self) -> None:
        self.shut = True


def request(*seeds: int) -> GenerationRequest:
    return GenerationRequest("p", seeds, SAMPLING)


def test_samples_come_in_the_order_of_the_seeds_however_they_were_cut() -> None:
    thread = EngineThread(Scripted)
    answer = thread.submit(request(1, 2, 3, 4, 9, 5), [0, 0]).result(5)
    assert [sample.seed for sample in answer] == [1, 2, 3, 4, 9, 5]
    thread.close(0)


def test_requests_of_many_threads_share_a_batch() -> None:
    engine = Scripted(on_step=lambda: time.sleep(0.002))
    thread = EngineThread(lambda: engine)
    answers: dict[int, list[int]] = {}

    def caller(i: int) -> None:
        for j in range(5):
            first = 1000 * i + 10 * j
            answers[first] = [s.seed for s in thread.submit(request(first, first + 1), [0] * 5).result(10)]

    callers = [threading.Thread(target=caller, args=(i,)) for i in range(8)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    thread.close(0)
    assert answers == {first: [first, first + 1] for first in answers}
    assert len(answers) == 40
    assert engine.widest > 2
    assert engine.threads == {"engine"}


def test_a_refused_request_leaves_the_others_alone() -> None:
    engine = Scripted()
    thread = EngineThread(lambda: engine)
    refused = thread.submit(request(1, 2, 3, 666), [0])
    kept = thread.submit(request(7), [0] * 50)
    with pytest.raises(GenerationRefused, match="not this one"):
        refused.result(5)
    assert kept.result(5)[0].seed == 7
    assert engine.aborted, "the part that had been taken of the refused request is taken out again"
    assert thread.alive()
    thread.close(0)


def test_fewer_samples_than_asked_fail_that_request_alone() -> None:
    class Short(Scripted):
        def answered(self, part: Part) -> Sequence[int]:
            return part.seeds[:-1] if len(part.seeds) > 1 else part.seeds

    thread = EngineThread(Short)
    with pytest.raises(EngineFailed, match="3 samples were asked for, 2 came back"):
        thread.submit(request(1, 2, 3), [0]).result(5)
    assert len(thread.submit(request(1), [0]).result(5)) == 1
    thread.close(0)


def test_a_broken_step_fails_everything_waiting_and_everything_after() -> None:
    gate = threading.Event()

    def burst() -> None:
        gate.wait(5)
        raise RuntimeError("CUDA error: an illegal memory access\nwas encountered")

    engine = Scripted(on_step=burst)
    thread = EngineThread(lambda: engine)
    first = thread.submit(request(1), [0])
    second = thread.submit(request(2), [0])
    gate.set()
    for future in (first, second):
        with pytest.raises(EngineFailed, match="RuntimeError: CUDA error: an illegal memory access") as caught:
            future.result(5)
        assert "\n" not in str(caught.value)
        assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(EngineFailed, match="opened anew"):
        thread.submit(request(3), [0])
    assert not thread.alive()
    thread.close(0)
    assert engine.shut


def test_what_no_other_try_can_help_is_told_as_that() -> None:
    def lacking() -> None:
        raise KernelMissing("no kernel for these weights") from AttributeError("cpu_gemm")

    thread = EngineThread(lambda: Scripted(on_step=lacking))
    future = thread.submit(request(1), [0])
    with pytest.raises(KernelMissing, match=r"^no kernel for these weights$") as caught:
        future.result(5)
    assert isinstance(caught.value.__cause__, AttributeError)
    assert not caught.value.retryable
    with pytest.raises(KernelMissing, match="no kernel"):
        thread.submit(request(2), [0])
    thread.close(0)


def test_an_engine_that_does_not_open_says_so_to_its_opener() -> None:
    def broken() -> Scripted:
        raise GenerationRefused("no such engine")

    with pytest.raises(GenerationRefused, match="no such engine"):
        EngineThread(broken)


def test_closing_lets_running_samples_finish_within_the_limit() -> None:
    thread = EngineThread(lambda: Scripted(on_step=lambda: time.sleep(0.001)))
    running = thread.submit(request(1), [0] * 20)
    thread.close(drain_seconds=10)
    assert running.result(0)[0].seed == 1
    with pytest.raises(EngineFailed, match="closed"):
        thread.submit(request(2), [0])
    assert not thread.alive()
    thread.close(0)  # again does nothing


def test_closing_fails_what_does_not_finish_in_time() -> None:
    engine = Scripted(on_step=lambda: time.sleep(0.001))
    thread = EngineThread(lambda: engine)
    endless = thread.submit(request(1), [0] * 10_000_000)
    begun = time.monotonic()
    thread.close(drain_seconds=0.05)
    assert time.monotonic() - begun < 5
    with pytest.raises(EngineFailed, match="closed"):
        endless.result(0)
    assert engine.aborted
    assert engine.shut


def test_a_cancelled_request_is_never_drawn() -> None:
    entered, gate = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        gate.wait(5)

    engine = Scripted(on_step=hold)
    thread = EngineThread(lambda: engine)
    running = thread.submit(request(1), [0])
    assert entered.wait(5)
    queued = thread.submit(request(2), [0])
    assert queued.cancel()
    gate.set()
    running.result(5)
    thread.close(1)
    assert engine.widest == 1


def test_an_engine_that_makes_no_step_is_not_alive() -> None:
    entered, gate = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        gate.wait(10)

    thread = EngineThread(lambda: Scripted(on_step=hang))
    assert thread.alive(stall_seconds=0.0), "an idle engine cannot stall"
    running = thread.submit(request(1), [0])
    assert entered.wait(5)
    time.sleep(0.05)
    assert thread.alive(stall_seconds=60)
    assert not thread.alive(stall_seconds=0.02)
    gate.set()
    running.result(5)
    thread.close(0)
