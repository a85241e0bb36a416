"""Paths whose refused file takes its document out of service have the file's status, and when it was seen.

The previous version keeps working: it neither reads nor writes these columns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("paths", sa.Column("withheld", sa.Text()))
    op.add_column("paths", sa.Column("withheld_observed", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("paths", "withheld_observed")
    op.drop_column("paths", "withheld")
