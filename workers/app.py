"""The Celery app. `celery -A workers.app worker -Q verify` works, and so does `passatk worker`.

Messages carry ids of batches, and for the log their run's name: the store is the truth, the queue a hint.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutdown, worker_shutting_down

from workers.broker import broker_options, quiet
from workers.engines.door import EngineLoad
from workers.settings import WorkerSettings

app = Celery("passatk", include=["workers.tasks"])


def _settings() -> dict[str, Any]:
    quiet()
    return {
        **broker_options(WorkerSettings.from_environment()),
        # Ids only, JSON only: nothing in a message can be executed.
        "task_serializer": "json",
        "accept_content": ["json"],
        # Acknowledge after the rows are committed: a killed worker's message comes back.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # A worker that holds few messages leaves the rest to the others.
        "worker_prefetch_multiplier": 1,
        # Completion is counted in SQL; a result backend would be a second truth.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # Quorum queues survive the loss of a RabbitMQ node; other brokers ignore this. A queue that a worker or a
        # message names is a "missing" one to Celery, and the default's type does not hold for it.
        "task_default_queue": "passatk",
        "task_default_queue_type": "quorum",
        "task_create_missing_queue_type": "quorum",
        "task_default_exchange_type": "direct",
        # They know no prefetch count of a whole connection: each consumer gets its own.
        "worker_detect_quorum_queues": True,
        "worker_consumer": "workers.consumer:PlainConsumer",
        # Nothing here uses remote control or events, and on the embedded broker they would poll the database.
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        # Producers of all threads share two connections: each holds a pool of its own on the embedded broker.
        "broker_pool_limit": 2,
        # A broker that restarts is waited for, also at start.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
    }


app.add_defaults(_settings)


@worker_init.connect(weak=False)
def _announce(**_: object) -> None:
    """Before the pool forks: its processes belong to this worker."""
    from workers.generation import the_open_generator
    from workers.presence import announce

    def load() -> EngineLoad | None:
        generator = the_open_generator()
        return None if generator is None else generator.engine_load()

    generator = the_open_generator()
    device = None if generator is None else generator.device()
    announce(",".join(app.amqp.queues.consume_from), device, load)


@worker_process_init.connect(weak=False)
def _count_apart(**_: object) -> None:
    """A forked process counts what it does in a row of its own."""
    from billiard.process import current_process

    from workers.tally import TALLY

    TALLY.use_slot(int(getattr(current_process(), "index", 0)))


@worker_ready.connect(weak=False)
def _start_threads(**_: object) -> None:
    """Every worker sweeps; a lock in the store lets one of them do it at a time."""
    from workers.presence import the_presence
    from workers.sweeper import Sweeper

    presence = the_presence()
    if presence is not None:
        presence.start()
    Sweeper(WorkerSettings.from_environment()).start()


@worker_shutting_down.connect(weak=False)
def _drain(**_: object) -> None:
    """The signal to stop has come: batches in work are finished, or handed back when that takes too long."""
    from workers.drain import begin

    begin()


@worker_shutdown.connect(weak=False)
def _sign_off(**_: object) -> None:
    """All batches in work are finished by now."""
    from workers.generation import close_the_generator
    from workers.presence import the_presence

    close_the_generator()
    presence = the_presence()
    if presence is not None:
        presence.stop()
