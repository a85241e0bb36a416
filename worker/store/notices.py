"""The outbox: notices are added, leased as one digest a route, and marked.

Every function takes a connection and commits nothing. A digest's notices get one `message_id` at
their first lease and keep it, so that a repeat after a crash is the same message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select, update

from worker.domain.notice import Notice
from worker.domain.review import STAGES, ReviewState, review_state
from worker.store.documents import LIVE, batched, insert_new
from worker.store.schema import documents, notices, rejections

PENDING, SENT, FAILED, CANCELLED = "pending", "sent", "failed", "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """One notice of a leased digest, with what the store says of its subject now."""

    id: int
    kind: str
    stage: str | None
    path: str
    due_on: date | None
    data: dict[str, Any]
    attempts: int


def add_notices(connection: Connection, owed: Iterable[Notice], *, now: datetime) -> list[Notice]:
    """Add the notices that are not there yet, and return those."""
    added = new_notices(connection, owed)
    if added:
        rows = [_row(notice, now) for notice in added]
        connection.execute(insert_new(connection, notices), rows)
    return added


def new_notices(connection: Connection, owed: Iterable[Notice]) -> list[Notice]:
    """Return the notices whose key is not in the outbox."""
    by_key = {notice.key: notice for notice in owed}
    for keys in batched(list(by_key), 500):
        there = connection.scalars(select(notices.c.key).where(notices.c.key.in_(keys)))
        for key in list(there):
            del by_key[key]
    return list(by_key.values())


def ripe_routes(
    connection: Connection, *, now: datetime, quiet_since: datetime, oldest: datetime
) -> list[str]:
    """Return the routes that have a digest to send now.

    Fresh notices wait until none came since `quiet_since`, or until the first is older than `oldest`;
    a digest that was begun is due at its next attempt, once nobody leases it.
    """
    n = notices.c
    free = or_(n.leased_until.is_(None), n.leased_until <= now)
    begun = select(n.route).where(
        n.state == PENDING, n.message_id.is_not(None), n.next_attempt_at <= now, free
    )
    fresh = (
        select(n.route)
        .where(n.state == PENDING, n.message_id.is_(None))
        .group_by(n.route)
        .having(or_(func.max(n.created_at) <= quiet_since, func.min(n.created_at) <= oldest))
    )
    return sorted(set(connection.scalars(begun)) | set(connection.scalars(fresh)))


def lease_digest(
    connection: Connection, route: str, *, now: datetime, until: datetime, message_id: str
) -> tuple[str, list[Leased]]:
    """Lease one digest of a route: one that was begun before, else all fresh notices as `message_id`.

    Returns the message id and its notices, none when another worker was quicker.
    """
    n = notices.c
    free = or_(n.leased_until.is_(None), n.leased_until <= now)
    begun = connection.scalar(
        select(n.message_id)
        .where(
            n.route == route,
            n.state == PENDING,
            n.message_id.is_not(None),
            n.next_attempt_at <= now,
            free,
        )
        .order_by(n.id)
        .limit(1)
    )
    which = n.message_id == begun if begun else and_(n.route == route, n.message_id.is_(None))
    ids = list(
        connection.scalars(
            select(n.id)
            .where(which, n.state == PENDING, free)
            .order_by(n.id)
            .with_for_update(skip_locked=True)
        )
    )
    if not ids:
        return begun or message_id, []
    leased = (
        update(notices)
        .where(n.id.in_(ids))
        .values(leased_until=until, message_id=begun or message_id, attempts=n.attempts + 1)
        .returning(n.id, n.kind, n.stage, n.path, n.due_on, n.data, n.attempts)
    )
    rows = sorted(connection.execute(leased), key=lambda row: row.id)
    return begun or message_id, [Leased(**row._asdict()) for row in rows]


def outdated(
    connection: Connection, leased: Sequence[Leased], *, today: date, upcoming_days: int
) -> set[int]:
    """Return the ids of leased notices whose fact no longer holds: reviewed, mended or retired since."""
    paths = {n.path for n in leased}
    d, r = documents.c, rejections.c
    clocks = {
        row.path: row
        for row in connection.execute(
            select(d.path, d.due_on, d.exempt).where(d.path.in_(paths), d.state == LIVE)
        )
    }
    current = select(r.path, r.sha256).where(r.path.in_(paths))
    refused = {row.path: row.sha256 for row in connection.execute(current)}
    gone = set()
    for notice in leased:
        match notice.kind:
            case "review":
                clock = clocks.get(notice.path)
                holds = (
                    clock is not None
                    and clock.due_on == notice.due_on
                    and _reached(notice.stage, clock, today, upcoming_days)
                )
            case "refused":
                holds = refused.get(notice.path) == notice.data["sha256"]
            case _:
                holds = True
        if not holds:
            gone.add(notice.id)
    return gone


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
    """Give leased notices back, to be tried again from `until` on."""
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


def _reached(stage: str | None, clock: Any, today: date, upcoming_days: int) -> bool:
    """Tell whether the review has reached a stage; a later one still owes the message."""
    state = review_state(
        clock.due_on, exempt=clock.exempt, today=today, upcoming_days=upcoming_days
    )
    return state in STAGES and STAGES.index(state) >= STAGES.index(ReviewState(str(stage)))
