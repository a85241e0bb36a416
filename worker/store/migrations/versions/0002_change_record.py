"""What a version changed: sections, figures, links, and the risk.

Columns are added and nothing else: a program of the version before goes on working, since they have
defaults. Versions stored before say nothing of their sections and figures.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    for name in ("sections", "figures", "links"):
        op.add_column("versions", sa.Column(name, JSON, nullable=False, server_default="[]"))
    op.add_column("versions", sa.Column("risk", sa.Text(), nullable=False, server_default="low"))


def downgrade() -> None:
    for name in ("risk", "links", "figures", "sections"):
        op.drop_column("versions", name)
