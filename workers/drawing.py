"""One batch on its way through the engine: what is asked, the waiting, the rows that come of it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from store.batches import Batch
from store.model_registry import Model
from store.samples import SampleRow
from store.work import DrawOrder
from workers.engines import Engine, Generated, GenerationRequest, SamplingParameters
from workers.errors import EngineFailed, PromptTooLong
from workers.presence import worker_id

_LOG = logging.getLogger(__name__)

#: How often a waiting thread looks whether the engine still moves.
_WATCH_SECONDS = 30.0


@dataclass(frozen=True)
class Loaded:
    """An engine with the model it serves and its row in the store."""

    engine: Engine
    model: Model
    options: Mapping[str, Any]
    engine_id: int


@dataclass(frozen=True)
class Asked:
    """A batch on its way through the engine."""

    batch: Batch
    order: DrawOrder
    loaded: Loaded
    request: GenerationRequest
    drawn: Future[list[Generated]]

    def rows(self) -> list[SampleRow]:
        """What the engine drew for it, once it has."""
        with _naming(self.order):
            generated = _wait(self.loaded.engine, self.drawn)
        seeds = self.order.seeds
        if len(generated) != len(seeds):
            raise EngineFailed(f"The engine drew {len(generated)} samples, asked for {len(seeds)} samples.")
        # The engine that drew them: by now another thread may have loaded another model.
        engine = self.loaded.engine
        return _rows(self.batch, generated, self.loaded.engine_id, engine.prompt_text(self.request))


def ask(loaded: Loaded, batch: Batch, order: DrawOrder) -> Asked:
    """Submit a batch to the engine. Raises what the engine refuses; a prompt that is too long is named."""
    request = request_for(order)
    with _naming(order):
        return Asked(batch, order, loaded, request, loaded.engine.submit(request))


@contextlib.contextmanager
def _naming(order: DrawOrder) -> Iterator[None]:
    """Say which problem's prompt was too long."""
    try:
        yield
    except PromptTooLong as error:
        raise PromptTooLong(f"problem {order.problem_key}: {error}") from error


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
