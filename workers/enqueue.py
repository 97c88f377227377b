"""Send messages for batches: after the commit that made them, and again when a message was lost."""

from __future__ import annotations

from collections.abc import Sequence

from amqp.exceptions import ChannelError, PreconditionFailed
from kombu.exceptions import OperationalError

from store.connection import transaction
from store.tickets import Message, mark_sent, messages
from workers.app import app
from workers.errors import BrokerUnreachable, QueueOfOtherKind
from workers.logs import MESSAGE
from workers.queues import VERIFY_QUEUE, draw_queue

#: Batches whose messages are sent between two words with the store.
_CHUNK = 4096


def enqueue(batch_ids: Sequence[int]) -> None:
    """Send messages for these batches. Sending twice does no harm; one never sent is found by the sweeper."""
    for start in range(0, len(batch_ids), _CHUNK):
        with transaction() as connection:
            cut = messages(connection, batch_ids[start : start + _CHUNK])
        _send(cut)
        with transaction() as connection:
            mark_sent(connection, cut)


def _send(cut: Sequence[Message]) -> None:
    try:
        with app.producer_or_acquire() as producer:
            for message in cut:
                name, queue = "passatk.verify", VERIFY_QUEUE
                if message.model_name is not None:
                    name, queue = "passatk.generate", draw_queue(message.model_name)
                ids = list(message.batch_ids)
                headers = {MESSAGE: {"run": message.run_name, "batches": ids}}
                app.send_task(name, args=ids, queue=queue, producer=producer, headers=headers)
    except OperationalError as error:
        raise BrokerUnreachable(
            f"The broker does not answer ({error}): the batches are stored and are sent when it is back."
        ) from error
    except PreconditionFailed as error:
        raise of_other_kind(error) from error


def of_other_kind(error: PreconditionFailed) -> QueueOfOtherKind:
    """In words: a queue was there before, made as a classic queue or by another program."""
    return QueueOfOtherKind(
        f"RabbitMQ has a queue of that name which is no quorum queue ({error.reply_text}). Delete it with "
        "`rabbitmqctl delete_queue NAME`: what waited in it is in the store and is sent again."
    )


def check_queue(queue: str) -> None:
    """Make a queue on RabbitMQ before its worker starts. A broker that does not answer yet is waited for later."""
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=5)
            if connection.transport.driver_type == "amqp":
                app.amqp.queues[queue](connection.default_channel).declare()
    except PreconditionFailed as error:
        raise of_other_kind(error) from error
    except OperationalError:
        return


def queue_depth(queue: str) -> int:
    """Messages waiting in a queue."""
    try:
        with app.connection_or_acquire() as connection:
            bound = app.amqp.queues[queue](connection.default_channel)
            bound.declare()
            return int(bound.queue_declare(passive=True).message_count)
    except PreconditionFailed as error:
        raise of_other_kind(error) from error
    except ChannelError:
        return 0  # to Redis an empty queue is no queue at all
    except OperationalError as error:
        raise BrokerUnreachable(f"The broker does not answer ({error}); it is asked again.") from error
