"""Connections to the store, embedded or given; every writer and reader of Postgres goes through here."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import psycopg
import sqlalchemy as sa

from store import embedded
from store.errors import PassatkError
from store.settings import StoreSettings

T = TypeVar("T")

READER_ROLE = "passatk_reader"


class StoreUnreachable(PassatkError):
    """The store cannot be reached."""

    retryable = True


class BadDatabaseUrl(PassatkError):
    """PASSATK_DATABASE_URL is not a PostgreSQL address."""


def database_url(settings: StoreSettings | None = None) -> str:
    """The store's URL as libpq takes it; starts the embedded server when no other is given."""
    settings = settings or StoreSettings.from_environment()
    if settings.database_url is None:
        return _embedded_url(str(settings.home), os.getpid())
    return _given_url(settings.database_url)


@functools.lru_cache(maxsize=8)
def _given_url(url: str) -> str:
    example = "postgresql://user@host:5432/database"
    if not url.startswith(("postgresql://", "postgres://")):
        raise BadDatabaseUrl(f"PASSATK_DATABASE_URL must start with postgresql://, as in {example}.")
    try:
        # Both readers of it are asked: libpq, and SQLAlchemy, which takes a little less.
        psycopg.conninfo.conninfo_to_dict(url)
        sa.make_url(url)
    except (psycopg.Error, sa.exc.ArgumentError, ValueError) as error:
        raise BadDatabaseUrl(f"PASSATK_DATABASE_URL cannot be read: {error}. Write it as {example}.") from error
    return url


@functools.lru_cache(maxsize=8)
def _embedded_url(home: str, _pid: int) -> str:
    return embedded.start(Path(home))


def reader_url(settings: StoreSettings | None = None) -> str:
    """The URL for analysts: the same database as the role that reads schema `analytics` and nothing else."""
    parts = psycopg.conninfo.conninfo_to_dict(database_url(settings))
    keep = {name: value for name, value in parts.items() if name in ("host", "port", "dbname", "sslmode")}
    query = "&".join(f"{name}={quote(str(value))}" for name, value in keep.items() if name != "dbname")
    return f"postgresql://{READER_ROLE}@/{quote(str(keep.get('dbname', 'postgres')))}?{query}"


def engine() -> sa.Engine:
    """The pooled SQLAlchemy engine of this process."""
    return _engine(database_url(), os.getpid())


@functools.lru_cache(maxsize=8)
def _engine(url: str, _pid: int) -> sa.Engine:
    # pre_ping: a pooled connection that died with a restarted server is replaced instead of failing a caller.
    made = sa.create_engine(
        url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1),
        pool_pre_ping=True,
        pool_size=4,
        max_overflow=12,
        # A host that is cut off must not wait for the kernel's quarter of an hour.
        connect_args={"application_name": "passatk", "connect_timeout": 10, "tcp_user_timeout": 30_000},
    )
    sa.event.listen(made, "connect", _notice_the_dead)
    return made


def _notice_the_dead(raw: psycopg.Connection[Any], _: object) -> None:
    """The server asks within a minute whether this process is still there: its locks must not outlive it for hours."""
    with raw.cursor() as cursor:
        for name, seconds in (("idle", 30), ("interval", 10), ("count", 3)):
            cursor.execute(f"SET tcp_keepalives_{name} = {seconds}".encode())
    raw.commit()


@contextmanager
def transaction() -> Iterator[sa.Connection]:
    """One transaction: committed when the block ends, rolled back when it raises."""
    try:
        with engine().begin() as connection, thrown_away_when_interrupted(connection):
            yield connection
    except (sa.exc.OperationalError, psycopg.OperationalError, sa.exc.InterfaceError) as error:
        raise StoreUnreachable(_unreachable_line(error)) from error


@contextmanager
def thrown_away_when_interrupted(connection: sa.Connection) -> Iterator[None]:
    """Give up the connection when Ctrl-C or a signal's handler ends the block; the server rolls back what it did.

    A statement may still be under way on it, so that not even a rollback could be sent. SQLAlchemy does the same for
    statements that it runs itself; it does not see those that are given to the driver.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        connection.invalidate()
        raise


@contextmanager
def alone(key: int) -> Iterator[bool]:
    """Hold an advisory lock of the store for the block; False when somebody else holds it.

    On a connection of its own and outside any transaction: what the block commits is seen while the lock is held.
    """
    try:
        with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            held = connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
            try:
                yield held
            finally:
                if held:
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": key})
    except sa.exc.OperationalError as error:
        raise StoreUnreachable(_unreachable_line(error)) from error


def patiently(call: Callable[[], T], seconds: float = 120.0) -> T:
    """Call until the store answers: a server that restarts is waited for, at most `seconds`."""
    deadline = time.monotonic() + seconds
    pause = 0.1
    while True:
        try:
            return call()
        except StoreUnreachable:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 2.0)


def driver(connection: sa.Connection) -> psycopg.Connection[Any]:
    """The psycopg connection below a SQLAlchemy one, for COPY."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw


def _unreachable_line(error: Exception) -> str:
    cause = str(getattr(error, "orig", error)).strip().splitlines()
    return f"The store cannot be reached: {cause[0] if cause else error}. Start it with `passatk store up`."
