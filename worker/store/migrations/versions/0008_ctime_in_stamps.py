"""A path's stamp has the time of the file's last change, which no program can set back.

The column is 0 for the files that are in the store: the next scan reads each of them once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "paths", sa.Column("ctime_ns", sa.BigInteger(), nullable=False, server_default="0")
    )


def downgrade() -> None:
    with op.batch_alter_table("paths") as paths:
        paths.drop_column("ctime_ns")
