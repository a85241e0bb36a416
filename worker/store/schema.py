"""The tables, the same for SQLite and PostgreSQL. Tests compare them with those of Alembic's migrations.

`paths` is the ledger: what was seen last of every path, and the document there. `judges` has the rules and
settings by which files were judged. `documents` has the head of
each document, `versions` and `bodies` its history, `events` the audit trail and change feed,
`acknowledgements` people's answers to reviews, `unfinished_answers` those whose file is being changed,
`notices` the notices and their state, `channels` each channel's rate and failures, `heartbeats` the running
parts, `holds` the missing and refused documents that wait for a person, and `epochs` what the IDs of the
events belong to.

No table uses an option of PostgreSQL: to check it, SQLAlchemy would load its whole PostgreSQL dialect, for
each command on SQLite too. On PostgreSQL only the migrations create the tables.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC; SQLite keeps it as text without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as SQLAlchemy calls it
        """Return the instant in UTC; raise `ValueError` for a naive one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value if value.tzinfo is UTC else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as SQLAlchemy calls it
        """Return the instant aware, in UTC."""
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSON, or JSONB on PostgreSQL; the PostgreSQL dialect is loaded only if it is used."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type for the database in use."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON())
        from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415 - 17 ms

        return dialect.type_descriptor(JSONB())

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        """Compare values inside the JSON as SQLAlchemy's JSON does."""
        return self.impl_instance.coerce_compared_value(op, value)


#: Increasing IDs: 64 bits on PostgreSQL, SQLite's row ID on SQLite.
Id = BigInteger().with_variant(Integer, "sqlite")
#: Paths compare by bytes on both databases, so both lock and list in the same order.
Path = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

documents = Table(
    "documents",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column(
        "path", Path, nullable=False, index=True
    ),  # the present or last one; `paths` says whose it is
    Column("state", Text, nullable=False),  # live, retired
    Column("number", Integer, nullable=False),  # of the head version
    Column("sha256", Text, nullable=False),  # of the file's bytes as last accepted
    Column("title", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("source_type", Text),
    Column("owner", Text),
    Column("tags", Json, nullable=False),
    Column("last_reviewed", Date),
    Column("review_frequency", Text),
    Column("due_on", Date),
    Column("exempt", Boolean, nullable=False),
    Column("risk_category", Text),  # A, B, C
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_documents_due_on", "due_on", sqlite_where=text("state = 'live'")),
)

bodies = Table(
    "bodies",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("document_id", Id, ForeignKey("documents.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("path", Path, nullable=False),  # where it was then
    Column("label", Text, nullable=False),
    Column("sha256", Text, nullable=False),  # of the file's bytes then
    Column("body_sha256", Text, ForeignKey("bodies.sha256"), nullable=False),
    Column("front_matter", Text, nullable=False),  # as written, line ends included
    Column("metadata", Json, nullable=False),
    Column("change", Text, nullable=False),  # content, metadata, review, cosmetic
    Column("fields", Json, nullable=False),
    Column("lines_added", Integer, nullable=False),
    Column("lines_removed", Integer, nullable=False),
    Column("observed_at", UtcDateTime, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("sections", Json, nullable=False, server_default="[]"),
    Column("figures", Json, nullable=False, server_default="[]"),
    Column("links", Json, nullable=False, server_default="[]"),
    Column("risk", Text, nullable=False, server_default="low"),  # high, medium, low
    UniqueConstraint("document_id", "number"),
)

paths = Table(
    "paths",
    metadata,
    Column("path", Path, primary_key=True),
    Column("observed", BigInteger, nullable=False),  # the newest observation of the path
    Column(
        "accepted", BigInteger, nullable=False
    ),  # the newest that said who lives here, and its content
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False, server_default="0"),  # 0: not known yet
    Column("sha256", Text, nullable=False),  # of the bytes, or a mark for an unreadable file
    Column("state", Text, nullable=False),  # live, refused, gone
    Column("document_id", Id, ForeignKey("documents.id")),  # who lives here, or lived here last
    Column("problems", Json, nullable=False),  # of a refused file, or []
    Column("refused_at", UtcDateTime),
    Column("withheld", Text),  # the status by which a refused file withholds the document, or NULL
    Column("withheld_observed", BigInteger),  # the observation that said so
    Column("judged_by", Text),  # the ID of the judge of the newest content, or NULL
    Column("judge_again_on", Date),  # from this day on its verdict may be another one
    Index("ix_paths_refused", "path", sqlite_where=text("state = 'refused'")),
)

judges = Table(
    "judges",
    metadata,
    Column("id", Text, primary_key=True),
    Column("parts", Json, nullable=False),  # schema, rules, settings, zone, edition
    Column("since", UtcDateTime, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("path", Path, nullable=False),
    Column("document_id", Id),
    Column("number", Integer),
    Column("data", Json, nullable=False),
    # The chain; NULL in events of a program that does not know it, and a NULL salt where data was emptied.
    Column("salt", Text),
    Column("content_sha256", Text),
    Column("chain_sha256", Text),
    Index("ix_events_path", "path", "id"),
    sqlite_autoincrement=True,
)

epochs = Table(
    "epochs",
    metadata,
    Column("number", Id, Identity(), primary_key=True),
    Column("epoch", Text, nullable=False, unique=True),  # the newest is the one that goes on
    Column("library", Text, nullable=False),  # the name of the store, the same in all its copies
    Column("began_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column(
        "after_event", BigInteger, nullable=False
    ),  # up to it, events are those of earlier epochs
    Column("event", BigInteger, nullable=False),  # that says that it began; 0 for the first epoch
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("document_id", Id, ForeignKey("documents.id"), primary_key=True),
    Column("due_on", Date, nullable=False),  # the cycle: the row is valid while the document has it
    Column("snoozed_until", Date),
    Column("snoozes", Integer, nullable=False),
    Column("acknowledged_until", Date),
    Column("planned_on", Date),
    Column("by", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

unfinished_answers = Table(
    "unfinished_answers",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),  # of the event that finishes it
    Column("path", Path, nullable=False),
    Column("document_id", Id, nullable=False),
    Column("number", Integer, nullable=False),
    Column("data", Json, nullable=False),
    Column("sha256", Text),  # of the changed file; NULL where it is removed
    Column("event_before", Id, nullable=False),  # the newest event then
    sqlite_autoincrement=True,  # an ID never comes back
)

notices = Table(
    "notices",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),  # review, refused, held, retracted, failing, …
    Column("stage", Text),
    Column("path", Path, nullable=False),
    Column("document_id", Id),
    Column("due_on", Date),
    Column("route", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("state", Text, nullable=False),  # pending, sent, failed, cancelled
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("leased_until", UtcDateTime),
    Column("message_id", Text),  # of the digest that it belongs to, from its first lease on
    Column("sent_at", UtcDateTime),
    Column("error", Text),
    Index(
        "ix_notices_pending",
        "route",
        "next_attempt_at",
        sqlite_where=text("state = 'pending'"),
    ),
    Index("ix_notices_document_id", "document_id"),
    Index("ix_notices_path", "path"),
)

channels = Table(
    "channels",
    metadata,
    Column("name", Text, primary_key=True),
    Column("tokens", Float, nullable=False),  # of the rate limit: each message takes one
    Column("refilled_at", UtcDateTime, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row
    Column("failing_since", UtcDateTime),
    Column("open_until", UtcDateTime),  # the circuit breaker: nothing is sent before this instant
    Column("error", Text),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("data", Json, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Id, Identity(), primary_key=True),
    Column("kind", Text, nullable=False, server_default="removals"),  # or refusals
    Column("at", UtcDateTime, nullable=False),
    # The paths that would be retired; [] for refusals, which are in `paths`.
    Column("removals", Json, nullable=False),
    Column("live", Integer, nullable=False),  # documents that were live then
    Column("state", Text, nullable=False),  # held, approved, ended
    Column("decided_at", UtcDateTime),
)
