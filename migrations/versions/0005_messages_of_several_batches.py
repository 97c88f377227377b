"""messages name several batches; ready batches are found by run and kind"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "batches",
        sa.Column(
            "sent_with", sa.BigInteger(), nullable=True, comment="first batch of the message it was last sent with"
        ),
        schema="store",
    )
    op.create_index(
        "ix_batches_ready",
        "batches",
        ["run_id", "verifier_id", "batch_id"],
        schema="store",
        postgresql_where=sa.text("state = 'ready'"),
    )


def downgrade() -> None:
    op.drop_index("ix_batches_ready", table_name="batches", schema="store")
    op.drop_column("batches", "sent_with", schema="store")
