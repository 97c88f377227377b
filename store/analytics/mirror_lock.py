"""One writer of a mirror at a time; a writer that dies lets go by dying."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store.analytics.errors import MirrorBusy


@contextmanager
def writing(mirror: Path) -> Iterator[None]:
    """Hold the mirror for writing; raises MirrorBusy when another process does."""
    mirror.mkdir(parents=True, exist_ok=True)
    file = mirror / "writer.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise MirrorBusy(f"Process {holder} is writing the mirror in {mirror}: wait until it is done.") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
