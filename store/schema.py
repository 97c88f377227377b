"""Bring the store's schema up to date and say which revision it has."""

from __future__ import annotations

from pathlib import Path

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from store.connection import StoreUnreachable, database_url, engine
from store.errors import PassatkError


class SchemaOutdated(PassatkError):
    """The store's tables are not those of this passatk."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def upgrade() -> str:
    """Create or upgrade every table; returns the revision reached."""
    check_reachable()
    _refuse_newer()
    command.upgrade(_config(), "head")
    return head_revision()


def _refuse_newer() -> None:
    current = current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaOutdated(
            f"The store has schema revision {current}, which a newer passatk made: this one reads up to "
            f"{head_revision()}. Install the newer passatk."
        )


def head_revision() -> str:
    """The revision this code needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current_revision() -> str | None:
    """The revision the store has, or None when it has no tables."""
    with engine().connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table_schema": "public"})
        return context.get_current_revision()


def check_reachable() -> None:
    """Raise one clear line when the server does not answer."""
    try:
        with psycopg.connect(database_url(), connect_timeout=10):
            return
    except psycopg.OperationalError as error:
        first = str(error).strip().splitlines()[0]
        raise StoreUnreachable(
            f"The store cannot be reached: {first}. Mend PASSATK_DATABASE_URL, or unset it for the embedded server."
        ) from error


def ensure(embedded: bool) -> None:
    """Raise unless the schema is this code's; the embedded store is brought up to date instead."""
    try:
        current, wanted = current_revision(), head_revision()
    except sa.exc.OperationalError:
        check_reachable()
        raise
    if current == wanted:
        return
    _refuse_newer()
    if embedded:
        upgrade()
        return
    raise SchemaOutdated(
        f"The store has schema revision {current or 'none'}, this passatk needs {wanted}: run `passatk store up`."
    )
