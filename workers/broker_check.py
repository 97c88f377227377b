"""Whether the broker answers, and keeps what it is given."""

from __future__ import annotations

from typing import Any

import psycopg
from amqp.exceptions import PreconditionFailed
from kombu.exceptions import OperationalError

from store.errors import PassatkError
from workers.broker import VISIBILITY_SECONDS
from workers.findings import Finding, Trouble, fine, warning
from workers.queues import VERIFY_QUEUE
from workers.settings import WorkerSettings


def check_broker(settings: WorkerSettings) -> Finding:
    """Connect as a worker would. Raises Trouble where that fails."""
    if settings.broker_url is None:
        from workers.broker import broker_options

        try:
            broker_options(settings)  # installs the queues where they are missing
        except (PassatkError, psycopg.Error) as error:
            raise Trouble("it lives in the store, which does not answer", "start the store") from error
        return fine("broker", f"queues in the store itself, messages come back after {VISIBILITY_SECONDS} s")
    from workers.app import app
    from workers.enqueue import of_other_kind

    with app.connection_for_write(transport_options={"socket_connect_timeout": 5}) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=10)
            if connection.transport.driver_type == "redis":
                return _redis(connection.default_channel.client)
            return _rabbitmq(connection, app.amqp.queues[VERIFY_QUEUE])
        except PreconditionFailed as error:
            text, _, mend = str(of_other_kind(error)).partition(". ")
            raise Trouble(text, mend) from error
        except (OperationalError, OSError) as error:
            mend = "start the broker, or mend PASSATK_BROKER_URL; the store keeps the work meanwhile"
            raise Trouble(f"{connection.as_uri()} does not answer: {error}", mend) from error


def _redis(client: Any) -> Finding:
    told = client.info()
    text = f"Redis {told['redis_version']}, messages come back after {VISIBILITY_SECONDS} s"
    policy = told.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and told.get("maxmemory"):
        return warning("broker", f"{text}; it evicts ({policy}) when full", "set maxmemory-policy noeviction")
    return fine("broker", text)


def _rabbitmq(connection: Any, queue: Any) -> Finding:
    queue(connection.default_channel).declare()  # refused where one of another kind has the name
    told = connection.connection.server_properties
    product, version = told.get("product", "AMQP"), told.get("version", "?")
    if not told.get("capabilities", {}).get("publisher_confirms"):
        return warning("broker", f"{product} {version} confirms no publish", "use RabbitMQ 3.10 or newer")
    return fine("broker", f"{product} {version}, publishes are confirmed, queues are quorum queues")
