"""Changes to a document since its last review, and events for a route since its last message.

Reads only, in a bounded number of queries for any number of documents. Instants are aware. A version that
changes the field of the review date is a review. Called by the digest.
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
from worker.store.paths import IS_REFUSED
from worker.store.schema import (
    acknowledgements,
    documents,
    events,
    notices,
    paths,
    versions,
)

#: This number of parameters fits into one statement of either database.
_BATCH = 500
#: These events end a refusal.
_FIXING = (STORED, FIXED, WITHDRAWN, RETIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceReview:
    """The versions after a document's last review: how many, and their highest risk.

    `heaviest` are the row IDs of the newest versions of that risk, oldest first, for `version_changes`.
    """

    versions: int
    risk: str  # a `Risk`
    heaviest: tuple[int, ...]


def heads_now(connection: Connection, document_ids: Iterable[int]) -> dict[int, Any]:
    """Return what a digest shows of these documents: their heads, and the planned days of their reviews."""
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
    """Return the changes after each document's last review; no entry for an unchanged document.

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
    """Return the change columns of these versions, by row ID."""
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
    """Return the live documents (ID and path) that were reviewed after a notice of it to the route.

    Only reviews after `since`, the route's last message: that message reported the earlier ones.
    """
    d, e, n, v = documents.c, events.c, notices.c, versions.c
    notified = (
        select(n.document_id, func.max(n.sent_at).label("at"))
        .where(n.route == route, n.state == SENT, n.kind == "review")
        .group_by(n.document_id)
        .subquery()
    )
    recorded = select(e.document_id).where(
        e.at > since, e.kind == STORED, _names(e.data, date_field)
    )
    reported = exists().where(
        v.document_id == d.id,
        v.number > 1,
        _names(v.fields, date_field),
        v.stored_at > notified.c.at,
        v.stored_at <= since,
    )
    rows = connection.execute(
        select(d.id, d.path)
        .join(notified, notified.c.document_id == d.id)
        .where(d.id.in_(recorded), d.state == LIVE, ~reported)
        .order_by(d.path)
    )
    return {row.id: row.path for row in rows}


def fixed_since(connection: Connection, route: str, *, since: datetime) -> list[str]:
    """Return the paths that were fixed or removed after a notice of their refusal to the route."""
    e, n, p = events.c, notices.c, paths.c
    earlier = events.alias()
    notified = (
        select(n.path, func.max(n.sent_at).label("at"))
        .where(n.route == route, n.state == SENT, n.kind == "refused")
        .group_by(n.path)
        .subquery()
    )
    reported = exists().where(
        and_(
            earlier.c.path == e.path,
            earlier.c.kind.in_(_FIXING),
            earlier.c.at > notified.c.at,
            earlier.c.at <= since,
        )
    )
    still_refused = exists().where(p.path == e.path, IS_REFUSED)
    rows = connection.scalars(
        select(e.path)
        .join(notified, notified.c.path == e.path)
        .where(e.at > since, e.kind.in_(_FIXING), ~reported, ~still_refused)
        .distinct()
        .order_by(e.path)
    )
    return list(rows)


def _names(column: Column[Any], name: str) -> ColumnElement[bool]:
    """Return a condition: a JSON column contains a name (searched as text, on both databases)."""
    return cast(column, Text).contains(json.dumps(name, ensure_ascii=False), autoescape=True)
