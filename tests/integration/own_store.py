"""A store of a test module's own: an embedded server below a folder, and settings that name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from store import embedded, schema
from store.connection import engine
from store.settings import StoreSettings


@contextmanager
def own_store(folder: Path) -> Iterator[StoreSettings]:
    """Make the store, let everything in this process use it, and stop its server at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSATK_HOME", str(folder))
        patch.delenv("PASSATK_DATABASE_URL", raising=False)
        patch.delenv("PASSATK_MIRROR", raising=False)
        schema.upgrade()
        try:
            yield StoreSettings.from_environment()
        finally:
            engine().dispose()
            embedded.stop(folder)
