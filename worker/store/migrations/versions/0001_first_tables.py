"""The first tables: documents, versions, bodies, rejections, events, notices, heartbeats, holds.

Written out, not derived from today's models: a migration says for ever what it made.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("path", PATH, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("observed", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source_type", sa.Text()),
        sa.Column("owner", sa.Text()),
        sa.Column("tags", JSON, nullable=False),
        sa.Column("last_reviewed", sa.Date()),
        sa.Column("review_frequency", sa.Text()),
        sa.Column("due_on", sa.Date()),
        sa.Column("exempt", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("path", name="uq_documents_path"),
    )
    live = sa.text("state = 'live'")
    op.create_index(
        "ix_documents_due_on", "documents", ["due_on"], postgresql_where=live, sqlite_where=live
    )
    op.create_table(
        "bodies",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_bodies"),
    )
    op.create_table(
        "versions",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("document_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("front_matter", sa.Text(), nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("lines_added", sa.Integer(), nullable=False),
        sa.Column("lines_removed", sa.Integer(), nullable=False),
        sa.Column("observed_at", INSTANT, nullable=False),
        sa.Column("stored_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_versions"),
        sa.UniqueConstraint("document_id", "number", name="uq_versions_document_id"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_versions_document_id_documents"
        ),
        sa.ForeignKeyConstraint(
            ["body_sha256"], ["bodies.sha256"], name="fk_versions_body_sha256_bodies"
        ),
    )
    op.create_table(
        "rejections",
        sa.Column("path", PATH, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("observed", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("problems", JSON, nullable=False),
        sa.Column("refused_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_rejections"),
    )
    op.create_table(
        "events",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("document_id", ID),
        sa.Column("number", sa.Integer()),
        sa.Column("data", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_path", "events", ["path", "id"])
    op.create_table(
        "notices",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text()),
        sa.Column("path", PATH, nullable=False),
        sa.Column("document_id", ID),
        sa.Column("due_on", sa.Date()),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.Column("leased_until", INSTANT),
        sa.Column("message_id", sa.Text()),
        sa.Column("sent_at", INSTANT),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.UniqueConstraint("key", name="uq_notices_key"),
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_notices_pending",
        "notices",
        ["route", "next_attempt_at"],
        postgresql_where=pending,
        sqlite_where=pending,
    )
    op.create_index("ix_notices_document_id", "notices", ["document_id"])
    op.create_index("ix_notices_path", "notices", ["path"])
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_heartbeats"),
    )
    op.create_table(
        "holds",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("removals", JSON, nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _compress_bodies_with_lz4()


def downgrade() -> None:
    for table in (
        "holds",
        "heartbeats",
        "notices",
        "events",
        "rejections",
        "versions",
        "bodies",
        "documents",
    ):
        op.drop_table(table)


def _compress_bodies_with_lz4() -> None:
    """Take lz4 where the server was built with it: a third of the default's cost a document."""
    knows_lz4 = op.get_bind().scalar(
        sa.text(
            "SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
        )
    )
    if knows_lz4:
        op.execute("ALTER TABLE bodies ALTER COLUMN body SET COMPRESSION lz4")
