"""Draw a batch: lease it, ask the engine, write the samples, send on what must be judged. Runs without Celery."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from store.batches import Batch, claim, hand_back
from store.connection import patiently, transaction
from store.errors import PassatkError
from store.model_registry import Model
from store.samples import SampleRow
from store.work import DrawOrder, draw_order, ensure_engine
from workers.engines import Engine, EngineLoad, Generated, GenerationRequest, SamplingParameters, open_engine
from workers.enqueue import enqueue
from workers.errors import BrokerUnreachable, EngineFailed, PromptTooLong
from workers.heartbeat import Heartbeat
from workers.presence import worker_id
from workers.settings import WorkerSettings
from workers.tally import TALLY
from workers.writer import Writer

_LOG = logging.getLogger(__name__)

#: How often a waiting thread looks whether the engine still moves.
_WATCH_SECONDS = 30.0


@dataclass(frozen=True)
class _Loaded:
    engine: Engine
    model: Model
    options: Mapping[str, Any]
    engine_id: int


class Generator:
    """Draws batches from any number of threads at once; one engine is loaded at a time."""

    def __init__(self, settings: WorkerSettings, engine_options: Mapping[str, Any] | None = None) -> None:
        self._heartbeat = Heartbeat(settings.lease_seconds)
        self._writer = Writer()
        self._options = dict(engine_options or {})
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def run(self, batch_id: int) -> None:
        """Draw one batch, unless it is done or another worker has it."""
        batch = patiently(lambda: self._claim(batch_id))
        if batch is None:
            return
        try:
            with self._heartbeat.holding(batch.batch_id):
                followers = self._draw(batch, patiently(lambda: _order(batch)))
        except PassatkError as error:
            self._give_back(batch, str(error), final=not error.retryable)
        except Exception as error:
            _LOG.exception("Batch %d broke.", batch.batch_id)
            self._give_back(batch, f"{type(error).__name__}: {error}", final=False)
        else:
            _send_on(followers)

    def _claim(self, batch_id: int) -> Batch | None:
        # Committed on its own: whatever breaks from here on counts as a try of this batch.
        with transaction() as connection:
            return claim(connection, batch_id, self._heartbeat.worker, self._heartbeat.lease_seconds)

    def _draw(self, batch: Batch, order: DrawOrder) -> list[int]:
        loaded = self._load(order.model, order.engine_options)
        request = request_for(order)
        try:
            generated = _wait(loaded.engine, loaded.engine.submit(request))
        except PromptTooLong as error:
            raise PromptTooLong(f"problem {order.problem_key}: {error}") from error
        if len(generated) != len(order.seeds):
            raise EngineFailed(f"The engine drew {len(generated)} samples, asked for {len(order.seeds)} samples.")
        # The engine that drew them: by now another thread may have loaded another model.
        rows = _rows(batch, generated, loaded.engine_id, loaded.engine.prompt_text(request))
        return self._writer.write(batch, rows).result()

    def load(self, model: Model, options: Mapping[str, Any] | None = None) -> Engine:
        """The engine of a model; another model's engine, or a dead one, is closed first."""
        return self._load(model, options).engine

    def _load(self, model: Model, options: Mapping[str, Any] | None) -> _Loaded:
        wanted = {**dict(options or {}), **self._options}
        with self._lock:
            loaded = self._loaded
            # Other options are another engine: an adapter that was added, another quantisation.
            if loaded and loaded.model == model and loaded.options == wanted and loaded.engine.alive():
                return loaded
            self._unload()
            engine = open_engine(model.location, model.backend, wanted)
            try:
                engine_id = patiently(lambda: _engine_row(engine))
            except BaseException:
                engine.close()  # a second one beside it might not fit into memory
                raise
            self._loaded = _Loaded(engine, model, wanted, engine_id)
            return self._loaded

    def engine_load(self) -> EngineLoad | None:
        """How busy the loaded engine is; None when there is none."""
        loaded = self._loaded
        return None if loaded is None else loaded.engine.load()

    def device(self) -> str | None:
        """What the loaded engine runs on; None when there is none."""
        loaded = self._loaded
        return None if loaded is None else loaded.engine.identity.device

    def _unload(self) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.engine.close()

    def _give_back(self, batch: Batch, error: str, final: bool) -> None:
        def back() -> None:
            with transaction() as connection:
                hand_back(connection, batch, error, final)

        _LOG.warning("Batch %d: %s", batch.batch_id, error)
        TALLY.add(failures=1)
        patiently(back)

    def close(self) -> None:
        """Write what is drawn and unload the engine."""
        self._writer.close()
        with self._lock:
            self._unload()


def _wait(engine: Engine, future: Future[list[Generated]]) -> list[Generated]:
    while True:
        try:
            return future.result(timeout=_WATCH_SECONDS)
        except TimeoutError:
            if future.done() or engine.alive():
                continue  # a long batch, or done just now
            # A step that hangs never comes back, and a thread cannot be killed: the process goes, a supervisor
            # starts another, and the leases bring the batches back.
            _LOG.critical("The engine has stopped making progress; this worker ends so that another can start.")
            logging.shutdown()
            os._exit(70)


def _order(batch: Batch) -> DrawOrder:
    with transaction() as connection:
        return draw_order(connection, batch)


def _engine_row(engine: Engine) -> int:
    identity = engine.identity
    with transaction() as connection:
        return ensure_engine(
            connection,
            {
                "engine": identity.engine,
                "engine_version": identity.engine_version,
                "model_revision": identity.model_revision,
                "tokenizer_hash": identity.tokenizer_hash,
                "device": identity.device,
                "chat_template_hash": identity.chat_template_hash,
                "settings": dict(identity.settings),
            },
        )


def request_for(order: DrawOrder) -> GenerationRequest:
    """What to ask of an engine for a batch."""
    stored = order.sampling
    sampling = SamplingParameters(
        temperature=stored["temperature"],
        top_p=stored["top_p"],
        top_k=stored["top_k"],
        max_tokens=stored["max_tokens"],
        stop=tuple(stored["stop"]),
        token_logprobs=bool(stored.get("token_logprobs")),
    )
    return GenerationRequest(order.asked.text, order.seeds, sampling, order.asked.messages, order.run.adapter)


def _rows(batch: Batch, generated: Sequence[Generated], engine_id: int, prompt: str) -> list[SampleRow]:
    return [
        SampleRow(
            run_id=batch.run_id,
            problem_id=batch.problem_id,
            sample_index=index,
            batch_id=batch.batch_id,
            completion=one.text,
            engine_id=engine_id,
            seed=one.seed,
            request_samples=one.request_samples or len(generated),
            prompt_tokens=one.prompt_tokens,
            cached_prompt_tokens=one.cached_prompt_tokens,
            completion_tokens=one.completion_tokens,
            finish_reason=one.finish_reason,
            cumulative_logprob=one.cumulative_logprob,
            latency_seconds=one.seconds,
            cache_write_tokens=one.cache_write_tokens,
            reasoning_tokens=one.reasoning_tokens,
            queue_seconds=one.queue_seconds,
            prefill_seconds=one.prefill_seconds,
            decode_seconds=one.decode_seconds,
            gpu_seconds=one.gpu_seconds,
            worker_id=worker_id(),
            prompt=prompt if index == batch.first_index else None,
            token_ids=one.token_ids,
            token_logprobs=one.token_logprobs,
        )
        for index, one in zip(batch.indexes, generated, strict=True)
    ]


def _send_on(batch_ids: Sequence[int]) -> None:
    try:
        enqueue(batch_ids)
    except BrokerUnreachable:
        _LOG.warning("The broker does not answer; the sweeper sends %d judging batches later.", len(batch_ids))


@functools.cache
def the_generator() -> Generator:
    """This process's generator."""
    return Generator(WorkerSettings.from_environment(), _engine_options)


#: Engine options of this process, given on the command line before the first batch.
_engine_options: dict[str, Any] = {}


def set_engine_options(options: Mapping[str, Any]) -> None:
    """Options for every engine this process opens; they win over those stored with the model."""
    _engine_options.update(options)


def the_open_generator() -> Generator | None:
    """This process's generator where it has one."""
    return the_generator() if the_generator.cache_info().currsize else None


def close_the_generator() -> None:
    """Close this process's generator where it has one."""
    if the_generator.cache_info().currsize:
        the_generator().close()
