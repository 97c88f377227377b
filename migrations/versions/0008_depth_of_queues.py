"""How deep the queues were is kept for a day."""

import sqlalchemy as sa
from alembic import op

from migrations.contract import create_view

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_COMMENT = "How many batches waited in each queue lately; old rows are removed by the sweeper."


def upgrade() -> None:
    op.create_table(
        "queue_depths",
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False, comment="when it was counted"),
        sa.Column("queue", sa.Text(), nullable=False, comment="verify, or generate. and the model's name"),
        sa.Column("waiting", sa.Integer(), nullable=False, comment="batches of open runs that wait"),
        sa.Column("in_work", sa.Integer(), nullable=False, comment="batches of open runs that a worker holds"),
        sa.PrimaryKeyConstraint("at", "queue", name=op.f("pk_queue_depths")),
        schema="store",
        comment=_COMMENT,
    )
    columns = [
        ("at", "at", "when it was counted"),
        ("queue", "queue", "verify, or generate. and the model's name"),
        ("waiting", "waiting", "batches of open runs that wait"),
        ("in_work", "in_work", "batches of open runs that a worker holds"),
    ]
    create_view("queue_depths", _COMMENT, "store.queue_depths", columns)


def downgrade() -> None:
    op.execute("DROP VIEW analytics.queue_depths")
    op.drop_table("queue_depths", schema="store")
