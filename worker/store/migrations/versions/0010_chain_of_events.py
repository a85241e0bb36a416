"""Each event has a hash over its content and every event before it; the store has a name and an epoch.

The previous version keeps working: the events that it adds are chained before the next one of this version.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from worker.store.chain import chain_older
from worker.store.epochs import begin_first

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "epochs",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.Identity(),
            nullable=False,
        ),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("library", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("after_event", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_epochs"),
        sa.UniqueConstraint("epoch", name="uq_epochs_epoch"),
    )
    for name in ("salt", "content_sha256", "chain_sha256"):
        op.add_column("events", sa.Column(name, sa.Text()))
    begin_first(op.get_bind(), now=datetime.now(UTC))
    chain_older(op.get_bind())


def downgrade() -> None:
    for name in ("chain_sha256", "content_sha256", "salt"):
        op.drop_column("events", name)
    op.drop_table("epochs")
