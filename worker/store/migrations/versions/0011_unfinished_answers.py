"""An answer that changes a file is noted before the file is touched, until its event is stored.

The previous version keeps working: it neither reads nor writes this table.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "unfinished_answers",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("document_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("sha256", sa.Text()),
        sa.Column("event_before", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unfinished_answers"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("unfinished_answers")
