"""A hold says what it holds: removals, as all did until now, or refusals.

A column is added and nothing else: a program of the version before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("holds", sa.Column("kind", sa.Text(), nullable=False, server_default="removals"))


def downgrade() -> None:
    op.execute("DELETE FROM holds WHERE kind <> 'removals'")
    op.drop_column("holds", "kind")
