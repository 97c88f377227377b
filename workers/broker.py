"""Which broker carries the messages, and the options its transport needs for work that takes long."""

from __future__ import annotations

import logging
import ssl
import warnings
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import psycopg
from kombu.transport import TRANSPORT_ALIASES
from pgmq.install import get_embedded_install_sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from store.connection import database_url
from workers.errors import BrokerUnknown
from workers.settings import WorkerSettings

#: A message that was read and not acknowledged comes back after this long. A second copy of a batch in work is
#: refused by its lease, so this may be shorter than the work.
VISIBILITY_SECONDS = 60

# Of the polled brokers, the clients that go on after the broker was away.
TRANSPORT_ALIASES["pgmq"] = "workers.transports:EmbeddedTransport"
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "workers.transports:RedisTransport"

_SCHEMES = ("pgmq", "amqp", "amqps", "pyamqp", "redis", "rediss", "memory")


def broker_options(settings: WorkerSettings) -> dict[str, Any]:
    """Celery's broker settings for the broker in use."""
    if settings.broker_url is None:
        return _embedded()
    scheme = urlsplit(settings.broker_url).scheme
    if scheme not in _SCHEMES:
        raise BrokerUnknown(
            f'PASSATK_BROKER_URL starts with "{scheme}"; give amqp://... (RabbitMQ), redis://..., '
            "or leave it unset for the embedded broker."
        )
    transport: dict[str, Any] = {}
    if scheme in ("redis", "rediss"):
        transport = {"visibility_timeout": VISIBILITY_SECONDS}
    if scheme in ("amqp", "amqps", "pyamqp"):
        # Without confirms a publish to a broker that just died is lost without a word.
        transport = {"confirm_publish": True}
    options: dict[str, Any] = {"broker_url": settings.broker_url, "broker_transport_options": transport}
    if scheme == "rediss":
        # By itself the client would take any certificate; what the address says (?ssl_ca_certs=...) goes first.
        options["broker_use_ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options


def _embedded() -> dict[str, Any]:
    url = database_url()
    install_queues(url)
    return {
        "broker_url": "pgmq://localhost",
        "broker_transport_options": {
            # As key=value: of a URL the client drops the socket folder.
            "conn_string": make_conninfo("", **conninfo_to_dict(url)),
            "init_extension": False,
            "visibility_timeout": VISIBILITY_SECONDS,
            "wait_time_seconds": 1,
            "polling_interval": 0.05,
            "pool_size": 3,
            "pool_timeout": 10,
        },
    }


def install_queues(url: str) -> None:
    """Install the embedded broker's SQL in the store's database, once."""
    with psycopg.connect(url, autocommit=True) as connection:
        if _installed(connection):
            return
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(727276)")  # two first starts at once
            if not _installed(connection):
                connection.execute(get_embedded_install_sql().encode())


def _installed(connection: psycopg.Connection[Any]) -> bool:
    # A query over the catalogue's rows, not to_regclass: that one answers from a cache filled before the lock was held.
    query = "SELECT 1 FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace WHERE s.nspname = 'pgmq'"
    return connection.execute(query).fetchone() is not None


def quiet() -> None:
    """Keep the queue client from logging every message."""
    with suppress(ImportError):  # it prefers loguru, which is there only where another package brought it
        import loguru

        loguru.logger.disable("pgmq")
    logging.getLogger("pgmq").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=UserWarning, module="pgmq")
