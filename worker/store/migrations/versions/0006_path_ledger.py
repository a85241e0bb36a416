"""The path ledger: one row for every path ever seen, in place of `rejections` and the stamps of `documents`.

A path whose file was refused after its document was stored has both rows today; the newer observation is
what the path has seen last. An older refusal beside a newer document was a mistake and ends.

`documents.path` is no longer unique: it is where a document lives, or lived last.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PATH = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON().with_variant(JSONB(), "postgresql")
INSTANT = sa.DateTime(timezone=True)

_SEEN = ("observed", "size", "mtime_ns", "inode")


def upgrade() -> None:
    op.create_table(
        "paths",
        sa.Column("path", PATH, nullable=False),
        sa.Column("observed", sa.BigInteger(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document_id", ID),
        sa.Column("problems", JSON, nullable=False),
        sa.Column("refused_at", INSTANT),
        sa.PrimaryKeyConstraint("path", name="pk_paths"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_paths_document_id_documents"
        ),
    )
    op.execute("DELETE FROM rejections WHERE EXISTS (SELECT 1 FROM documents d"
               " WHERE d.path = rejections.path AND d.observed > rejections.observed)")  # fmt: skip
    op.execute(
        "INSERT INTO paths (path, observed, accepted, size, mtime_ns, inode, sha256, state,"
        " document_id, problems)"
        " SELECT path, observed, observed, size, mtime_ns, inode, sha256,"
        " CASE state WHEN 'live' THEN 'live' ELSE 'gone' END, id, '[]' FROM documents d"
        " WHERE NOT EXISTS (SELECT 1 FROM rejections r WHERE r.path = d.path)"
    )
    op.execute(
        "INSERT INTO paths (path, observed, accepted, size, mtime_ns, inode, sha256, state,"
        " document_id, problems, refused_at)"
        " SELECT r.path, r.observed, COALESCE(d.observed, 0), r.size, r.mtime_ns, r.inode, r.sha256,"
        " 'refused', d.id, r.problems, r.refused_at"
        " FROM rejections r LEFT JOIN documents d ON d.path = r.path"
    )
    op.drop_table("rejections")
    refused = sa.text("state = 'refused'")
    op.create_index(
        "ix_paths_refused", "paths", ["path"], postgresql_where=refused, sqlite_where=refused
    )
    with op.batch_alter_table("documents") as documents:
        documents.drop_constraint("uq_documents_path", type_="unique")
        for name in _SEEN:
            documents.drop_column(name)
    op.create_index("ix_documents_path", "documents", ["path"])


def downgrade() -> None:
    """Give the stamps back. A document that is not the last one of its path is retired and loses its path."""
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
    op.execute(
        "INSERT INTO rejections SELECT path, sha256, observed, size, mtime_ns, inode, problems,"
        " refused_at FROM paths WHERE state = 'refused'"
    )
    op.execute(
        "UPDATE documents SET path = '#' || id || '/' || path WHERE NOT EXISTS (SELECT 1 FROM paths p"
        " WHERE p.path = documents.path AND p.document_id = documents.id)"
    )
    op.drop_index("ix_documents_path", "documents")
    with op.batch_alter_table("documents") as documents:
        for name in _SEEN:
            documents.add_column(
                sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
            )
        documents.create_unique_constraint("uq_documents_path", ["path"])
    op.execute(
        "UPDATE documents SET (observed, size, mtime_ns, inode) = (SELECT accepted, size, mtime_ns, inode"
        " FROM paths p WHERE p.document_id = documents.id AND p.path = documents.path)"
        " WHERE EXISTS (SELECT 1 FROM paths p WHERE p.document_id = documents.id"
        " AND p.path = documents.path)"
    )
    op.drop_table("paths")
