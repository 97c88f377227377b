"""What every table is made of: the schema, names of constraints, kinds of columns."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

SCHEMA = "store"

metadata = sa.MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    },
)


def text_column(name: str, comment: str, *args: Any, null: bool = False, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *args, nullable=null, comment=comment, **options)


def identity(name: str, comment: str, kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind, sa.Identity(always=True), primary_key=True, comment=comment)


def number(name: str, kind: Any, comment: str, *args: Any, null: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *args, nullable=null, comment=comment, **options)


def key_column(name: str, comment: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=False, comment=comment)


def created(comment: str = "when the row was written") -> sa.Column[Any]:
    return sa.Column(
        "created_at", sa.TIMESTAMP(timezone=True), server_default=sa.func.now(), nullable=False, comment=comment
    )


_SAMPLE_KEY = ("run", "problem", "0-based index of the sample in its run and problem")


def sample_key() -> list[sa.Column[int]]:
    run, problem, index = _SAMPLE_KEY
    return [key_column("run_id", run), key_column("problem_id", problem), key_column("sample_index", index)]


def verdict_key() -> list[sa.Column[int]]:
    return [
        *sample_key(),
        key_column("verifier_id", "verifier"),
        sa.Column(
            "attempt", sa.SmallInteger, primary_key=True, autoincrement=False, comment="0 for the first judgement"
        ),
    ]


def batch_index() -> sa.Index:
    """Where a batch's rows lie in a table that is filled batch after batch: a BRIN costs a write next to nothing.

    It says nothing of pages that were filled since it was last brought up to date, so a refresh of the mirror reads all
    of them; `autosummarize` lets autovacuum do that within a minute, not when a fifth of the table is new.
    """
    return sa.Index(None, "batch_id", postgresql_using="brin", postgresql_with={"autosummarize": "on"})
