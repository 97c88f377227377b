"""Settings of the store and its mirror: read from the environment once, never changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StoreSettings:
    """Where the store and the mirror live.

    `home` holds the embedded server and the mirror; `database_url` is None for the embedded server.
    """

    home: Path
    database_url: str | None
    mirror: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StoreSettings:
        home = Path(environment.get("PASSATK_HOME") or ".passatk").expanduser().resolve()
        mirror = Path(environment.get("PASSATK_MIRROR") or home / "mirror").expanduser().resolve()
        return cls(home=home, database_url=environment.get("PASSATK_DATABASE_URL") or None, mirror=mirror)
