"""The queue clients of brokers that are polled, mended: a message that cannot be acknowledged is let go.

A worker takes new messages while it holds fewer than its prefetch count. kombu counts one whose acknowledgement failed,
because the broker was away for longer than the client waits, as held for ever: with as many of them as it may hold,
a worker never asks for another message, and nothing tells it that the broker is back. Let go, the message is delivered
again after its visibility timeout, and finds its batch done.
"""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import pgmq, redis

_LOG = logging.getLogger(__name__)


class _LetsGo:
    """For a channel of a polled broker."""

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Acknowledge, or let go."""
        self._settle(delivery_tag, lambda: super(_LetsGo, self).basic_ack(delivery_tag, multiple))  # type: ignore[misc]

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Hand back, or let go."""
        self._settle(delivery_tag, lambda: super(_LetsGo, self).basic_reject(delivery_tag, requeue))  # type: ignore[misc]

    def _settle(self: Any, delivery_tag: str, settle: Any) -> None:
        if self.connection is None:
            return  # the work outlived its connection; another holds what is held now
        try:
            settle()
        except self.connection.connection_errors as error:
            # Not raised: it would only be logged, with a traceback, as critical.
            _LOG.warning("A message could not be acknowledged and will come again: %s", str(error).strip())
            self.qos._quick_ack(delivery_tag)


class EmbeddedChannel(_LetsGo, pgmq.Channel):
    """A channel of the queues in the store."""


class EmbeddedTransport(pgmq.Transport):
    """Queues in the store."""

    Channel = EmbeddedChannel


class RedisChannel(_LetsGo, redis.Channel):
    """A channel of Redis."""


class RedisTransport(redis.Transport):
    """Redis."""

    Channel = RedisChannel
