"""Where new batches lie in the large tables is known within a minute."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = (
    "completions",
    "preferences",
    "sample_logprobs",
    "sample_sources",
    "samples",
    "step_scores",
    "test_outcomes",
    "verdict_costs",
    "verdicts",
    "verifier_outputs",
)


def upgrade() -> None:
    for table in _TABLES:
        op.execute(sa.text(f"ALTER INDEX store.ix_{table}_batch_id SET (autosummarize = on)"))


def downgrade() -> None:
    for table in _TABLES:
        op.execute(sa.text(f"ALTER INDEX store.ix_{table}_batch_id RESET (autosummarize)"))
