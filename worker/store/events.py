"""Queries on the history of paths and on the library at an instant, from events and versions.

Reads only. `worker.library.as_of` and `worker.library.timeline` interpret the rows. Instants are aware;
returned ones are in UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from worker.store.documents import NEW_VERSION, RETIREMENT, batched
from worker.store.schema import documents, events, notices, versions

#: This number of parameters fits into one statement of either database.
_BATCH = 500

STORED, MOVED = NEW_VERSION, "document.moved"
RETIRED, REVIVED = RETIREMENT, "document.revived"
WITHHELD = "document.withheld"
REFUSED, FIXED, WITHDRAWN = "seed.refused", "seed.fixed", "seed.withdrawn"


def events_at(connection: Connection, paths: Collection[str]) -> Sequence[Any]:
    """Return all events of these paths, oldest first."""
    found: list[Any] = []
    for some in batched(sorted(paths), _BATCH):
        found += connection.execute(select(events).where(events.c.path.in_(some)))
    return sorted(found, key=lambda row: row.id)


def paths_of(connection: Connection, document_ids: Collection[int]) -> dict[int, str]:
    """Return the present paths of these documents, or the last path of a retired one."""
    d = documents.c
    rows = connection.execute(select(d.id, d.path).where(d.id.in_(document_ids)))
    return {row.id: row.path for row in rows}


def document_by_id(connection: Connection, document_id: int) -> Any | None:
    """Return a document, live or retired."""
    query = select(documents).where(documents.c.id == document_id)
    return connection.execute(query).one_or_none()


def notices_about(connection: Connection, paths: Collection[str]) -> Sequence[Any]:
    """Return the notices about these paths, oldest first."""
    n = notices.c
    return connection.execute(select(notices).where(n.path.in_(paths)).order_by(n.id)).all()


def lives_at(connection: Connection, at: datetime) -> Iterator[Any]:
    """Yield events until an instant, oldest first: id, kind, path, document_id, at, status.

    Only events that say where a document is, whether it is live or withheld, or whether its file is
    refused. `status` is that of the file that withholds its document, or None.
    """
    e = events.c
    status = case((e.kind == WITHHELD, e.data["status"].as_string())).label("status")
    yield from connection.execute(
        select(e.id, e.kind, e.path, e.document_id, e.at, status)
        .where(
            e.at <= at,
            e.kind.in_((STORED, MOVED, RETIRED, REVIVED, REFUSED, FIXED, WITHDRAWN, WITHHELD)),
        )
        .order_by(e.id)
    )


def heads_at(connection: Connection, at: datetime) -> dict[int, Any]:
    """Return each document's newest version at an instant, without its body, by document ID."""
    v = versions.c
    newest = (
        select(v.document_id, func.max(v.number).label("number"))
        .where(v.stored_at <= at)
        .group_by(v.document_id)
        .subquery()
    )
    rows = connection.execute(
        select(v.document_id, v.number, v.label, v.sha256, v.metadata).join(
            newest, (newest.c.document_id == v.document_id) & (newest.c.number == v.number)
        )
    )
    return {row.document_id: row for row in rows}
