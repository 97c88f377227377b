"""Alembic's entrance: the store decides which database, `store.tables` what it should hold."""

import sqlalchemy as sa
from alembic import context

from store.connection import database_url
from store.tables import SCHEMA, metadata


def _ours(name: str | None, kind: str, parents: object) -> bool:
    # The contract schema and the broker's own schema are not described by tables.py.
    return name == SCHEMA if kind == "schema" else True


def run() -> None:
    url = database_url().replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        # Two upgrades at once: the second waits and finds nothing left to do.
        connection.execute(sa.text("SELECT pg_advisory_lock(727274)"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=metadata,
            include_schemas=True,
            include_name=_ours,
            version_table_schema="public",
            compare_type=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


run()
