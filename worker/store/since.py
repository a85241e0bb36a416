"""What happened since: to a document since its last review, to a route since its last message.

Reads only, a bounded number of queries whatever the number of documents; instants are aware. A
review is known by the versions that changed the field of its date. Called by the digest.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    select,
)

from worker.domain.changes.risk import Risk
from worker.store.documents import LIVE, batched
from worker.store.events import FIXED, RETIRED, STORED, WITHDRAWN
from worker.store.notices import SENT
from worker.store.schema import (
    acknowledgements,
    documents,
    events,
    notices,
    rejections,
    versions,
)

#: So many parameters fit into one statement of either database.
_BATCH = 500
#: After these events, a file that was refused is so no more.
_FIXING = (STORED, FIXED, WITHDRAWN, RETIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceReview:
    """What came after a document's last review: how many versions, and their highest risk.

    `heaviest` are the row ids of the newest versions of that risk, oldest first, for `version_changes`.
    """

    versions: int
    risk: str  # a `Risk`
    heaviest: tuple[int, ...]


def heads_now(connection: Connection, document_ids: Iterable[int]) -> dict[int, Any]:
    """Return what a digest says of these documents: their heads, and when their review is planned."""
    d, a = documents.c, acknowledgements.c
    heads: dict[int, Any] = {}
    for some in batched(sorted(document_ids), _BATCH):
        rows = connection.execute(
            select(d.id, d.path, d.title, d.owner, d.number, d.risk_category, a.planned_on)
            .outerjoin(acknowledgements, (a.document_id == d.id) & (a.due_on == d.due_on))
            .where(d.id.in_(some))
        )
        heads |= {row.id: row for row in rows}
    return heads


def since_review(
    connection: Connection, document_ids: Iterable[int], *, date_field: str, most: int
) -> dict[int, SinceReview]:
    """Return what came after each document's last review; nothing for one that is unchanged.

    The last review is the newest version that changed `date_field`, or else the first version. The
    database counts, and at most `most` versions of each document are read, however many there are.
    """
    v = versions.c
    found: dict[int, SinceReview] = {}
    for some in batched(sorted(document_ids), _BATCH):
        reviewed = (
            select(v.document_id, func.max(v.number).label("number"))
            .where(v.document_id.in_(some), v.number > 1, _names(v.fields, date_field))
            .group_by(v.document_id)
            .subquery()
        )
        rank = case({risk: place for place, risk in enumerate(Risk)}, value=v.risk)
        ranked = (
            select(
                v.document_id,
                v.id,
                v.risk,
                func.count().over(partition_by=v.document_id).label("versions"),
                func.row_number()
                .over(partition_by=v.document_id, order_by=(rank, v.number.desc()))
                .label("place"),
            )
            .outerjoin(reviewed, reviewed.c.document_id == v.document_id)
            .where(v.document_id.in_(some), v.number > func.coalesce(reviewed.c.number, 1))
            .subquery()
        )
        rows = connection.execute(
            select(ranked)
            .where(ranked.c.place <= most)
            .order_by(ranked.c.document_id, ranked.c.place)
        )
        for document_id, of_one in groupby(rows, key=attrgetter("document_id")):
            first, *others = of_one
            heaviest = [first.id, *(row.id for row in others if row.risk == first.risk)]
            found[document_id] = SinceReview(
                versions=first.versions, risk=first.risk, heaviest=tuple(reversed(heaviest))
            )
    return found


def version_changes(connection: Connection, version_ids: Collection[int]) -> dict[int, Any]:
    """Return what changed with these versions, by row id: the columns of a change."""
    v = versions.c
    columns = (v.id, v.fields, v.sections, v.figures, v.links, v.lines_added, v.lines_removed)
    found: dict[int, Any] = {}
    for some in batched(sorted(version_ids), _BATCH):
        rows = connection.execute(select(*columns).where(v.id.in_(some)))
        found |= {row.id: row._asdict() for row in rows}
    return found


def reviewed_since(
    connection: Connection, route: str, *, since: datetime, date_field: str
) -> dict[int, str]:
    """Return the live documents, as id and path, whose review a route was told of and got since then.

    A review that was recorded before `since`, the route's last message, was that message's to tell.
    """
    d, e, n, v = documents.c, events.c, notices.c, versions.c
    told = (
        select(n.document_id, func.max(n.sent_at).label("at"))
        .where(n.route == route, n.state == SENT, n.kind == "review")
        .group_by(n.document_id)
        .subquery()
    )
    recorded = select(e.document_id).where(
        e.at > since, e.kind == STORED, _names(e.data, date_field)
    )
    told_before = exists().where(
        v.document_id == d.id,
        v.number > 1,
        _names(v.fields, date_field),
        v.stored_at > told.c.at,
        v.stored_at <= since,
    )
    rows = connection.execute(
        select(d.id, d.path)
        .join(told, told.c.document_id == d.id)
        .where(d.id.in_(recorded), d.state == LIVE, ~told_before)
        .order_by(d.path)
    )
    return {row.id: row.path for row in rows}


def fixed_since(connection: Connection, route: str, *, since: datetime) -> list[str]:
    """Return the paths whose refusal a route was told of, and that were fixed or taken away since."""
    e, n, r = events.c, notices.c, rejections.c
    earlier = events.alias()
    told = (
        select(n.path, func.max(n.sent_at).label("at"))
        .where(n.route == route, n.state == SENT, n.kind == "refused")
        .group_by(n.path)
        .subquery()
    )
    told_before = exists().where(
        and_(
            earlier.c.path == e.path,
            earlier.c.kind.in_(_FIXING),
            earlier.c.at > told.c.at,
            earlier.c.at <= since,
        )
    )
    still_refused = exists().where(r.path == e.path)
    rows = connection.scalars(
        select(e.path)
        .join(told, told.c.path == e.path)
        .where(e.at > since, e.kind.in_(_FIXING), ~told_before, ~still_refused)
        .distinct()
        .order_by(e.path)
    )
    return list(rows)


def _names(column: Column[Any], name: str) -> ColumnElement[bool]:
    """Tell whether a JSON column names a field: as text, which both databases can look through."""
    return cast(column, Text).contains(json.dumps(name, ensure_ascii=False), autoescape=True)
