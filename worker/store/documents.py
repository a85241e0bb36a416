"""Documents, versions and refusals: what an ingest reads and writes in its transaction.

Every function takes a connection and commits nothing; the caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.sql.dml import Insert

from worker.domain.folder.reconcile import RACY_MICROSECONDS, SHA256_LETTERS, UNPROVEN_SIZE, Seen
from worker.store.engine import insert_into
from worker.store.schema import bodies, documents, events, rejections, versions

if TYPE_CHECKING:
    from worker.domain.folder.decide import Head, Refusal
    from worker.domain.folder.known import KnownFiles
    from worker.domain.folder.snapshot import Stamp

Item = TypeVar("Item")

LIVE, RETIRED = "live", "retired"
KNOWN_AT_ONCE = 1000
_MODULUS = 2**31 - 1
#: For queries that read all live documents. With `state = 'live'` SQLite would use the partial index on
#: due dates and read another page of the table for each entry. There are only two states.
IS_LIVE = documents.c.state != RETIRED


def lock_heads(connection: Connection, paths: Sequence[str]) -> dict[str, Head]:
    """Return the heads of these paths, locked in path order until the transaction ends.

    On SQLite the transaction itself is the lock. The rows are locked by a statement of their own: after
    a wait PostgreSQL checks a join again with the joined rows of before the wait, and a document that has
    a new version by then would be missing from the result (READ COMMITTED).
    """
    from worker.domain.folder.decide import Head  # noqa: PLC0415 - commands that only read do not need it

    d, v = documents.c, versions.c
    locked = select(d.id).where(d.path.in_(paths)).order_by(d.path).with_for_update()
    ids = connection.scalars(locked).all()
    rows = connection.execute(
        select(d.id, d.path, d.state, d.number, d.sha256, d.observed, v.metadata, v.body_sha256)
        .join(versions, (v.document_id == d.id) & (v.number == d.number))
        .where(d.id.in_(ids))
        .order_by(d.path)
    )
    return {
        row.path: Head(
            document_id=row.id,
            path=row.path,
            live=row.state == LIVE,
            number=row.number,
            sha256=row.sha256,
            observed=row.observed,
            metadata=row.metadata,
            body_sha256=row.body_sha256,
        )
        for row in rows
    }


def load_refusals(connection: Connection, paths: Sequence[str]) -> dict[str, Refusal]:
    """Return the open refusals of these paths."""
    from worker.domain.folder.decide import Refusal  # noqa: PLC0415

    r = rejections.c
    rows = connection.execute(
        select(r.path, r.sha256, r.observed)
        .where(r.path.in_(paths))
        .order_by(r.path)
        .with_for_update()
    )
    return {row.path: Refusal(sha256=row.sha256, observed=row.observed) for row in rows}


def load_bodies(connection: Connection, sha256s: Iterable[str]) -> dict[str, str]:
    """Return bodies by their hash."""
    wanted = sorted(set(sha256s))
    if not wanted:
        return {}
    rows = connection.execute(
        select(bodies.c.sha256, bodies.c.body).where(bodies.c.sha256.in_(wanted))
    )
    return {row.sha256: row.body for row in rows}


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


def replace_refusals(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Record refusals, replacing earlier ones at the same paths."""
    if rows:
        remove_refusals(connection, [row["path"] for row in rows])
        connection.execute(insert(rejections), rows)


def remove_refusals(connection: Connection, paths: Sequence[str]) -> None:
    """Delete the refusals of these paths."""
    if paths:
        connection.execute(delete(rejections).where(rejections.c.path.in_(paths)))


def add_events(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Append events; take `Store.lock_events` first."""
    if rows:
        connection.execute(insert(events), rows)


def known_files(connection: Connection) -> KnownFiles:
    """Return every path that should be in the folder, with what was last seen of it.

    A refused file is newer than the document that it did not replace, so its stamp counts.
    """
    from worker.domain.folder.known import KnownFiles  # noqa: PLC0415 - only a scan needs it
    from worker.domain.folder.snapshot import Known, Stamp  # noqa: PLC0415

    known = KnownFiles()
    columns = ("path", "size", "mtime_ns", "inode", "sha256", "observed")
    live = select(*(documents.c[name] for name in columns)).where(IS_LIVE)
    for page in _pages(connection, live):
        known.take(page)
    for row in connection.execute(select(*(rejections.c[name] for name in columns))):
        path, size, mtime_ns, inode, sha256, observed = row
        known[path] = Known(Stamp(size, mtime_ns, inode), sha256, observed, path in known)
    return known


def fingerprint(connection: Connection) -> tuple[int, ...]:
    """Return a token that changes whenever known_files() would, in a tenth of its time.

    It consists of counts and sums; every ingest raises an `observed`. Only a repair changes a hash alone,
    and the full sync that must follow a repair finds the difference.
    """
    found: list[int] = []
    for table, condition in ((documents, IS_LIVE), (rejections, true())):
        numbers = (table.c[name] for name in ("size", "mtime_ns", "inode", "observed"))
        # Sums of remainders: sums of large numbers would exceed 64 bits, an error in SQLite.
        sums = (func.coalesce(func.sum(number % _MODULUS), 0) for number in numbers)
        found += connection.execute(select(func.count(), *sums).where(condition)).one()
    return tuple(map(int, found))


def stamps(connection: Connection) -> set[Seen]:
    """Return the paths of `known_files` with their stamps, in the form of a walk.

    A stamp that proves nothing (see `worker.domain.folder.reconcile`) gets a size that no file has.
    """
    refused = select(rejections.c.path)
    live = _seen_in(documents).where(IS_LIVE, documents.c.path.not_in(refused))
    found: set[Seen] = set()
    for query in (live, _seen_in(rejections)):
        for page in _pages(connection, query):
            found.update(map(tuple, page))
    return found


def _seen_in(table: Table) -> Select[Any]:
    c = table.c
    # SQL's division rounds towards 0, so files modified before 1970 may count as racy too.
    is_still = c.mtime_ns // 1000 + RACY_MICROSECONDS < c.observed
    proves = and_(is_still, func.length(c.sha256) == SHA256_LETTERS)
    size = case((proves, c.size), else_=UNPROVEN_SIZE)
    return select(c.path, size, c.mtime_ns, c.inode)


def _pages(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """Yield rows in pages: faster than one at a time, and smaller than all at once."""
    options = {"yield_per": KNOWN_AT_ONCE}
    return connection.execute(query, execution_options=options).partitions()


def newest_observation(connection: Connection) -> int:
    """Return the largest `observed` number in the store, 0 in an empty one."""
    newest = union_all(
        select(func.max(documents.c.observed)), select(func.max(rejections.c.observed))
    )
    return max((number or 0 for (number,) in connection.execute(newest)), default=0)


def stamp_columns(stamp: Stamp) -> dict[str, int]:
    """Return a stamp as columns of `documents` and `rejections`."""
    return {"size": stamp.size, "mtime_ns": stamp.mtime_ns, "inode": stamp.inode}


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
