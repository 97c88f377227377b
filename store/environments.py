"""Where verdicts were made: one row for each tier and set of versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.fingerprint import fingerprint
from store.tables import environments


def ensure_environment(connection: sa.Connection, tier: str, detail: Mapping[str, Any]) -> int:
    """The key of an environment's row, written when it is new."""
    digest = fingerprint(tier, dict(detail))
    values = {"tier": tier, "detail": dict(detail), "digest": digest}
    connection.execute(insert(environments).values(values).on_conflict_do_nothing())
    query = sa.select(environments.c.environment_id).where(environments.c.digest == digest)
    return int(connection.execute(query).scalar_one())
