"""Draw batches: lease them, ask the engine, write the samples, send on what must be judged. Runs without Celery."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from store.batches import Batch, hand_back
from store.connection import patiently, transaction
from store.errors import PassatkError
from store.model_registry import Model
from store.tickets import claim_by_tickets
from store.work import DrawOrder, draw_orders, ensure_engine
from workers.drawing import Asked, Loaded, ask
from workers.engines import Engine, EngineLoad, open_engine
from workers.enqueue import enqueue
from workers.errors import BrokerUnreachable
from workers.heartbeat import Heartbeat
from workers.logs import about
from workers.settings import WorkerSettings
from workers.tally import TALLY
from workers.writer import Writer

_LOG = logging.getLogger(__name__)


class Generator:
    """Draws batches from any number of threads at once; one engine is loaded at a time."""

    def __init__(self, settings: WorkerSettings, engine_options: Mapping[str, Any] | None = None) -> None:
        self._heartbeat = Heartbeat(settings.lease_seconds)
        self._writer = Writer()
        self._options = dict(engine_options or {})
        self._lock = threading.Lock()
        self._loaded: Loaded | None = None

    def run(self, *batch_ids: int) -> None:
        """Draw as many batches as a message names: those, or better ones of the same queue, or what there is."""
        batches = patiently(lambda: self._claim(batch_ids))
        if not batches:
            return
        with contextlib.ExitStack() as held:
            for batch in batches:
                held.enter_context(self._heartbeat.holding(batch.batch_id))
            followers = self._draw_all(batches)
        _send_on(followers)

    def _claim(self, batch_ids: Sequence[int]) -> list[Batch]:
        # Committed on its own: whatever breaks from here on counts as a try of these batches.
        with transaction() as connection:
            return claim_by_tickets(connection, batch_ids, self._heartbeat.worker, self._heartbeat.lease_seconds)

    def _draw_all(self, batches: Sequence[Batch]) -> list[int]:
        """Everything is asked of the engine before anything is waited for; a batch that breaks is given back alone."""
        asked: list[Asked] = []
        with self._blaming(batches):
            orders = patiently(lambda: _orders(batches))
            # One for all: the batches of a queue are drawn by one model.
            loaded = self._load(orders[0].model, orders[0].engine_options)
            for batch, order in zip(batches, orders, strict=True):
                with self._blaming([batch]):
                    asked.append(ask(loaded, batch, order))
        written: list[tuple[Batch, Future[list[int]]]] = []
        for one in asked:
            with self._blaming([one.batch]):
                written.append((one.batch, self._writer.write(one.batch, one.rows())))
        followers: list[int] = []
        for batch, ids in written:
            with self._blaming([batch]), about(batch):
                followers += ids.result()
                _LOG.info("Drew samples %d to %d.", batch.first_index, batch.end_index - 1)
        return followers

    @contextlib.contextmanager
    def _blaming(self, batches: Sequence[Batch]) -> Iterator[None]:
        """What breaks in the block is laid at the door of these batches: they are given back, the others go on."""
        try:
            yield
        except PassatkError as error:
            for batch in batches:
                self._give_back(batch, str(error), final=not error.retryable)
        except Exception as error:
            with about(batches[0]):
                _LOG.exception("Batch %d broke.", batches[0].batch_id)
            for batch in batches:
                self._give_back(batch, f"{type(error).__name__}: {error}", final=False)

    def load(self, model: Model, options: Mapping[str, Any] | None = None) -> Engine:
        """The engine of a model; another model's engine, or a dead one, is closed first."""
        return self._load(model, options).engine

    def _load(self, model: Model, options: Mapping[str, Any] | None) -> Loaded:
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
            self._loaded = Loaded(engine, model, wanted, engine_id)
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

        with about(batch):
            _LOG.warning("Batch %d: %s", batch.batch_id, error)
        TALLY.add(failures=1)
        patiently(back)

    def close(self) -> None:
        """Write what is drawn and unload the engine."""
        self._writer.close()
        with self._lock:
            self._unload()


def _orders(batches: Sequence[Batch]) -> list[DrawOrder]:
    with transaction() as connection:
        return draw_orders(connection, batches)


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
