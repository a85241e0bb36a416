"""Each path names the judge of its verdict, and the day from which the verdict may be another one.

The paths that are in the store name none: the next scan reads each of them once, and judges it again. The
previous version keeps working: it neither reads nor writes these columns.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "judges",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("parts", JSON, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_judges"),
    )
    op.add_column("paths", sa.Column("judged_by", sa.Text()))
    op.add_column("paths", sa.Column("judge_again_on", sa.Date()))


def downgrade() -> None:
    op.drop_column("paths", "judge_again_on")
    op.drop_column("paths", "judged_by")
    op.drop_table("judges")
