"""How migrations write the contract: thin views with a comment on every column.

A contract view only ever grows at its end, so that `CREATE OR REPLACE` keeps the grants of those who read it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

#: (column, expression over the table, comment)
Column = tuple[str, str, str]
READER = "passatk_reader"


def create_view(name: str, comment: str, source: str, columns: Sequence[Column]) -> None:
    """A new thin view over a table of the store, readable by the reader."""
    selected = ", ".join(f"{expression} AS {column}" for column, expression, _ in columns)
    op.execute(f"CREATE VIEW analytics.{name} AS SELECT {selected} FROM {source}")  # noqa: S608 - names of our own
    op.execute(f"COMMENT ON VIEW analytics.{name} IS {_quoted(comment)}")
    _comment_on(name, columns)
    op.execute(f"GRANT SELECT ON analytics.{name} TO {READER}")


def extend_view(name: str, columns: Sequence[Column]) -> None:
    """Further columns at the end of a thin view."""
    definition = sa.text("SELECT pg_get_viewdef(cast(:view AS regclass))")
    text = op.get_bind().execute(definition, {"view": f"analytics.{name}"}).scalar_one()
    head, source = re.fullmatch(r"(.*)\n\s+FROM (.*?);\s*", text, re.DOTALL).groups()  # type: ignore[union-attr]
    added = ", ".join(f"{expression} AS {column}" for column, expression, _ in columns)
    op.execute(f"CREATE OR REPLACE VIEW analytics.{name} AS {head}, {added} FROM {source}")
    _comment_on(name, columns)


def _comment_on(name: str, columns: Sequence[Column]) -> None:
    for column, _, text in columns:
        op.execute(f"COMMENT ON COLUMN analytics.{name}.{column} IS {_quoted(text)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
