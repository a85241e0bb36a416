"""Notices: adds them, leases them as one digest per route, and marks them.

Every function takes a connection and commits nothing. A digest's notices get one `message_id` at their
first lease and keep it, so a repeat after a crash is the same message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
    update,
)

from worker.domain.reviews.ladder import OVERDUE
from worker.domain.reviews.notice import (
    REFUSED,
    REVIEW,
    URGENT_KINDS,
    Notice,
)
from worker.store.documents import LIVE, batched, insert_new
from worker.store.holds import OPEN, REFUSALS
from worker.store.paths import IS_REFUSED
from worker.store.schema import documents, holds, notices
from worker.store.schema import paths as ledger

PENDING, SENT, FAILED, CANCELLED = "pending", "sent", "failed", "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """One notice of a leased digest, with what the store says of its subject now."""

    id: int
    kind: str
    stage: str | None
    path: str
    document_id: int | None
    due_on: date | None
    data: dict[str, Any]
    attempts: int


def add_notices(connection: Connection, owed: Iterable[Notice], *, now: datetime) -> list[Notice]:
    """Add the notices that do not exist yet, and return them.

    A cancelled notice is added again: its document was retired for a while, and is back.
    """
    added = new_notices(connection, owed)
    if added:
        for keys in batched([notice.key for notice in added], 500):
            cancelled = and_(notices.c.key.in_(keys), notices.c.state == CANCELLED)
            connection.execute(delete(notices).where(cancelled))
        rows = [_row(notice, now) for notice in added]
        connection.execute(insert_new(connection, notices), rows)
    return added


def new_notices(connection: Connection, owed: Iterable[Notice]) -> list[Notice]:
    """Return the notices whose key does not exist yet, or belongs to a cancelled notice."""
    by_key = {notice.key: notice for notice in owed}
    for keys in batched(list(by_key), 500):
        valid = and_(notices.c.key.in_(keys), notices.c.state != CANCELLED)
        existing = connection.scalars(select(notices.c.key).where(valid))
        for key in list(existing):
            del by_key[key]
    return list(by_key.values())


def ripe_routes(
    connection: Connection,
    today: date,
    *,
    now: datetime,
    quiet_since: datetime,
    oldest: datetime,
    urgent_only: bool = False,
) -> list[str]:
    """Return the routes that have a digest to send now.

    Fresh notices wait until none was added since `quiet_since`, or until the first is older than `oldest`.
    A digest that was tried before is due at its next attempt, unless a worker leases it.
    """
    n = notices.c
    wanted = _pending(today, urgent_only=urgent_only)
    free = or_(n.leased_until.is_(None), n.leased_until <= now)
    again = select(n.route).where(wanted, n.message_id.is_not(None), n.next_attempt_at <= now, free)
    fresh = (
        select(n.route)
        .where(wanted, n.message_id.is_(None))
        .group_by(n.route)
        .having(or_(func.max(n.created_at) <= quiet_since, func.min(n.created_at) <= oldest))
    )
    return sorted(set(connection.scalars(again)) | set(connection.scalars(fresh)))


def lease_digest(
    connection: Connection,
    route: str,
    today: date,
    *,
    now: datetime,
    until: datetime,
    message_id: str,
    urgent_only: bool = False,
) -> tuple[str, list[Leased]]:
    """Lease one digest of a route: one that was tried before, else all fresh notices as `message_id`.

    Returns the message ID and its notices; no notices if another worker was faster.
    """
    n = notices.c
    free = or_(n.leased_until.is_(None), n.leased_until <= now)
    wanted = and_(_pending(today, urgent_only=urgent_only), n.route == route)
    earlier_id = connection.scalar(
        select(n.message_id)
        .where(wanted, n.message_id.is_not(None), n.next_attempt_at <= now, free)
        .order_by(n.id)
        .limit(1)
    )
    # A digest that was tried before is sent again with the same notices.
    which = (
        and_(n.message_id == earlier_id, n.state == PENDING)
        if earlier_id
        else and_(wanted, n.message_id.is_(None))
    )
    ids = list(
        connection.scalars(
            select(n.id).where(which, free).order_by(n.id).with_for_update(skip_locked=True)
        )
    )
    if not ids:
        return earlier_id or message_id, []
    leased = (
        update(notices)
        .where(n.id.in_(ids))
        .values(leased_until=until, message_id=earlier_id or message_id, attempts=n.attempts + 1)
        .returning(*_columns_of(Leased))
    )
    rows = sorted(connection.execute(leased), key=lambda row: row.id)
    return earlier_id or message_id, [Leased(**row._asdict()) for row in rows]


def last_notified(
    connection: Connection, *, today: date, zone: tzinfo
) -> dict[int, dict[str, date]]:
    """Return, by document and route, the day of the last notice that a review is overdue, in its cycle.

    Reads only overdue documents: an index range, whatever the library's size.
    """
    n, d = notices.c, documents.c
    # The join alone would suffice, but then SQLite reads all notices, a table that only grows.
    overdue = select(d.id).where(d.state == LIVE, d.due_on < today)
    query = (
        select(n.document_id, n.route, func.max(n.created_at).label("at"))
        .join(documents, (d.id == n.document_id) & (d.due_on == n.due_on))
        .where(
            n.document_id.in_(overdue),
            n.kind == REVIEW,
            n.state != CANCELLED,
            n.stage.startswith(OVERDUE, autoescape=True),
        )
        .group_by(n.document_id, n.route)
    )
    days: dict[int, dict[str, date]] = {}
    for row in connection.execute(query):
        days.setdefault(row.document_id, {})[row.route] = row.at.astimezone(zone).date()
    return days


def pending_of(connection: Connection, route: str) -> list[Leased]:
    """Return a route's pending notices, without leasing them."""
    waiting = select(*_columns_of(Leased)).where(
        notices.c.route == route, notices.c.state == PENDING
    )
    rows = connection.execute(waiting.order_by(notices.c.id))
    return [Leased(**row._asdict()) for row in rows]


def as_leased(owed: Iterable[Notice]) -> list[Leased]:
    """Return notices in the form of leased ones, for a preview of their message."""
    return [
        Leased(
            id=number,
            kind=notice.kind,
            stage=notice.stage,
            path=notice.path,
            document_id=notice.document_id,
            due_on=notice.due_on,
            data=notice.data,
            attempts=0,
        )
        for number, notice in enumerate(owed)
    ]


def forget(connection: Connection, ids: Sequence[int]) -> None:
    """Delete pending notices of snoozed reviews; a later sweep adds them again."""
    for some in batched(ids, 500):
        connection.execute(
            delete(notices).where(notices.c.id.in_(some), notices.c.state == PENDING)
        )


def retry_failed(connection: Connection, ids: Sequence[int] | None, *, now: datetime) -> int:
    """Make failed notices pending again, all or these; return their number. Message IDs stay."""
    which = [notices.c.state == FAILED]
    if ids is not None:
        which.append(notices.c.id.in_(ids))
    again = (
        update(notices)
        .where(*which)
        .values(state=PENDING, attempts=0, next_attempt_at=now, error=None, leased_until=None)
    )
    return connection.execute(again).rowcount


def mark(
    connection: Connection,
    ids: Sequence[int],
    state: str,
    *,
    now: datetime,
    error: str | None = None,
) -> None:
    """Close notices: sent, failed or cancelled."""
    if ids:
        connection.execute(
            update(notices)
            .where(notices.c.id.in_(ids), notices.c.state == PENDING)
            .values(
                state=state,
                sent_at=now if state == SENT else None,
                error=error,
                leased_until=None,
            )
        )


def postpone(connection: Connection, ids: Sequence[int], *, until: datetime, error: str) -> None:
    """End the lease of notices, to be tried again from `until` on."""
    if ids:
        connection.execute(
            update(notices)
            .where(notices.c.id.in_(ids), notices.c.state == PENDING)
            .values(next_attempt_at=until, error=error, leased_until=None)
        )


def last_sent(connection: Connection, route: str) -> datetime | None:
    """Return when a route was last sent a message, in UTC."""
    sent_at = select(func.max(notices.c.sent_at)).where(
        notices.c.route == route, notices.c.state == SENT
    )
    newest: datetime | None = connection.scalar(sent_at)
    return newest


def _row(notice: Notice, now: datetime) -> dict[str, Any]:
    return {
        "key": notice.key,
        "kind": notice.kind,
        "stage": notice.stage,
        "path": notice.path,
        "document_id": notice.document_id,
        "due_on": notice.due_on,
        "route": notice.route,
        "channel": notice.channel,
        "data": notice.data,
        "state": PENDING,
        "attempts": 0,
        "created_at": now,
        "next_attempt_at": now,
    }


def _pending(today: date, *, urgent_only: bool) -> ColumnElement[bool]:
    """Return the condition for notices that may be sent now.

    Held refusals wait for a person, and those of files whose day has come for the verdict of today.
    """
    held = exists().where(holds.c.kind == REFUSALS, holds.c.state == OPEN)
    its_day = ledger.c.judge_again_on <= today
    doubtful = exists().where(ledger.c.path == notices.c.path, IS_REFUSED, its_day)
    may_go = or_(notices.c.kind != REFUSED, not_(or_(held, doubtful)))
    pending = and_(notices.c.state == PENDING, may_go)
    return and_(pending, notices.c.kind.in_(sorted(URGENT_KINDS))) if urgent_only else pending


def _columns_of(kind: type[Leased]) -> list[Any]:
    return [notices.c[column.name] for column in fields(kind)]
