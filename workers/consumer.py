"""What a Celery worker does with its connection to the broker, without what nothing here uses."""

from __future__ import annotations

from celery.worker import consumer


class PlainConsumer(consumer.Consumer):  # type: ignore[misc]
    """Celery's own, without delayed delivery: for quorum queues that would be 28 more queues on the broker.

    No message here is sent for later.
    """

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]
        """The steps of a worker's start."""

        default_steps = [  # noqa: RUF012 - Celery's own way
            step for step in consumer.Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        ]
