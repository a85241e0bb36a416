"""Documents and versions: what an ingest reads and writes in its transaction.

Every function takes a connection and commits nothing; the caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, exists, func, insert, select, update
from sqlalchemy.sql.dml import Insert

from worker.store.chain import chained
from worker.store.engine import insert_into
from worker.store.schema import bodies, documents, events, versions

Item = TypeVar("Item")

LIVE, RETIRED = "live", "retired"
#: The kind of the event of a new version.
NEW_VERSION = "version.stored"
#: The kind of the event of a document whose file is gone.
RETIREMENT = "document.retired"
#: For queries that read all live documents. With `state = 'live'` SQLite would use the partial index on
#: due dates and read another page of the table for each entry. There are only two states.
IS_LIVE = documents.c.state != RETIRED


def load_bodies(connection: Connection, sha256s: Iterable[str]) -> dict[str, str]:
    """Return bodies by their hash."""
    wanted = sorted(set(sha256s))
    if not wanted:
        return {}
    rows = connection.execute(
        select(bodies.c.sha256, bodies.c.body).where(bodies.c.sha256.in_(wanted))
    )
    return {row.sha256: row.body for row in rows}


def load_versions_before(
    connection: Connection, document_ids: Iterable[int]
) -> dict[int, tuple[dict[str, Any], str]]:
    """Return metadata and body of the version before the head of each of these documents, by their ID.

    There is none before the first, nor if the document was retired between the two.
    """
    wanted = sorted(set(document_ids))
    if not wanted:
        return {}
    head = versions.alias()
    d, h, v, e = documents.c, head.c, versions.c, events.c
    retired = exists().where(
        e.path.in_((v.path, h.path)),  # for the index
        e.document_id == d.id,
        e.kind == RETIREMENT,
        # Not by their instants: a clock may have been set back between them.
        e.id > func.coalesce(_event_of(v), 0),
        e.id < _event_of(h),
    )
    query = (
        select(d.id, v.metadata, bodies.c.body)
        .join(head, (h.document_id == d.id) & (h.number == d.number))
        .join(versions, (v.document_id == d.id) & (v.number == d.number - 1))
        .join(bodies, bodies.c.sha256 == v.body_sha256)
        .where(d.id.in_(wanted), ~retired)
    )
    return {row.id: (row.metadata, row.body) for row in connection.execute(query)}


def _event_of(version: Any) -> Any:
    """Return a query for the ID of the event that stored a version."""
    own = events.alias()
    e = own.c
    is_its = (e.path == version.path, e.kind == NEW_VERSION, e.document_id == version.document_id)
    newest = select(func.max(e.id)).where(*is_its, e.number == version.number)
    return newest.correlate_except(own).scalar_subquery()


def create_documents(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Insert documents and return their IDs by path."""
    if not rows:
        return {}
    ids = _next_ids(connection, len(rows))
    connection.execute(
        insert(documents), [row | {"id": new} for row, new in zip(rows, ids, strict=True)]
    )
    return {row["path"]: new for row, new in zip(rows, ids, strict=True)}


def _next_ids(connection: Connection, number: int) -> Sequence[int]:
    """Reserve the IDs of a number of new documents, so that the INSERT need not return them."""
    if connection.dialect.name == "sqlite":  # SQLite has one writer at a time
        newest: int = connection.scalar(select(func.max(documents.c.id))) or 0
        return range(newest + 1, newest + 1 + number)
    sequence = func.pg_get_serial_sequence("documents", "id")
    each = func.generate_series(1, number).table_valued("value")
    return connection.scalars(select(func.nextval(sequence)).select_from(each)).all()


def update_documents(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Update documents by their key `document_id`; all rows set the same columns."""
    if rows:
        connection.execute(
            update(documents).where(documents.c.id == bindparam("document_id")), rows
        )


def add_bodies(connection: Connection, texts: dict[str, str]) -> None:
    """Store bodies by their hash, except those that already exist."""
    rows = [{"sha256": sha256, "body": texts[sha256]} for sha256 in sorted(texts)]
    if rows:
        connection.execute(insert_new(connection, bodies), rows)


def add_versions(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Append versions."""
    if rows:
        connection.execute(insert(versions), rows)


def add_events(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Append events, each with its hash; take `Store.lock_events` first. Nothing else adds events."""
    if rows:
        connection.execute(insert(events), chained(connection, rows))


def event_row(
    at: datetime,
    kind: str,
    path: str,
    *,
    document_id: int | None = None,
    number: int | None = None,
    **data: Any,
) -> dict[str, Any]:
    """Return a row of `events`."""
    return {
        "at": at,
        "kind": kind,
        "path": path,
        "document_id": document_id,
        "number": number,
        "data": data,
    }


def batched(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield runs of at most `size` items, so that no statement has too many parameters."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_new(connection: Connection, table: Any) -> Insert:
    """Return an INSERT that skips rows whose unique key already exists."""
    return insert_into(connection.dialect, table).on_conflict_do_nothing()
