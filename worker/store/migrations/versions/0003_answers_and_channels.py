"""What people answer in a review, how fast and how well channels send, and the risk of a document.

Tables and a column are added and nothing else: a program of the version before goes on working. The
risk of documents that are there is taken from their newest version, under the field's usual name.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("documents", sa.Column("risk_category", sa.Text()))
    category = (
        "json_extract(v.metadata, '$.riskCategory')"
        if op.get_bind().dialect.name == "sqlite"
        else "v.metadata ->> 'riskCategory'"
    )
    op.execute(
        f"UPDATE documents SET risk_category = (SELECT {category} FROM versions v"  # noqa: S608 - constants
        " WHERE v.document_id = documents.id AND v.number = documents.number)"
    )
    op.create_table(
        "acknowledgements",
        sa.Column("document_id", ID, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("snoozed_until", sa.Date()),
        sa.Column("snoozes", sa.Integer(), nullable=False),
        sa.Column("acknowledged_until", sa.Date()),
        sa.Column("planned_on", sa.Date()),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("document_id", name="pk_acknowledgements"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_acknowledgements_document_id_documents"
        ),
    )
    op.create_table(
        "channels",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("refilled_at", INSTANT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", INSTANT),
        sa.Column("open_until", INSTANT),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("name", name="pk_channels"),
    )


def downgrade() -> None:
    op.drop_table("channels")
    op.drop_table("acknowledgements")
    op.drop_column("documents", "risk_category")
