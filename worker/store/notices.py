"""Notices: adds them, leases them as one digest per route, and marks them.

Every function takes a connection and commits nothing. A digest's notices get one `message_id` at their
first lease and keep it, so a repeat after a crash is the same message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
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
    ASKED,
    FAILING,
    REFUSED,
    RETRACTED,
    REVIEW,
    URGENT_KINDS,
    Notice,
)
from worker.domain.reviews.policy import Policy
from worker.domain.reviews.review import OPEN_STATES, ReviewRow, ReviewState
from worker.domain.seeds.facts import ACTIVE
from worker.store.documents import LIVE, batched, insert_new
from worker.store.holds import OPEN, REFUSALS
from worker.store.library import find_review_rows
from worker.store.paths import IS_REFUSED, RESIDENT
from worker.store.schema import channels, documents, holds, notices
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """A leased digest after a check: the notices that still apply, and the IDs of the others."""

    owed: list[Leased]
    gone: list[int]
    snoozed: list[int]


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
    wanted = _pending(urgent_only=urgent_only)
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
    wanted = and_(_pending(urgent_only=urgent_only), n.route == route)
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


def recheck(
    connection: Connection, leased: Sequence[Leased], *, policy: Policy, today: date
) -> Rechecked:
    """Return which leased notices still apply, which are answered or outdated, and which are snoozed.

    A notice about a moved document gets its present path.
    """
    owed, outdated, snoozed = [], [], []
    rows = find_review_rows(connection, (n.document_id for n in leased if n.document_id))
    facts = _Facts(connection, leased)
    for notice in leased:
        row = rows.get(notice.document_id or 0)
        match notice.kind:
            case "review":
                state = _state_in_cycle(notice, row, policy, today)
                if state is ReviewState.SNOOZED:
                    snoozed.append(notice.id)
                    continue
                applies = state in OPEN_STATES or (
                    state is not None and str(notice.stage).startswith(ASKED)
                )
            case "refused":
                refused = facts.refused.get(notice.path)
                applies = refused is not None and refused.sha256 == notice.data["sha256"]
            case "retracted":
                applies = notice.document_id not in facts.served
            case "failing":
                applies = facts.failing_since.get(notice.data["channel"]) == notice.data["since"]
            case _:
                applies = True
        if applies:
            owed.append(facts.as_now(notice, row))
        else:
            outdated.append(notice.id)
    return Rechecked(owed=owed, gone=outdated, snoozed=snoozed)


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


def _pending(*, urgent_only: bool) -> ColumnElement[bool]:
    """Return the condition for notices that may be sent now; held refusals wait for a person."""
    held = exists().where(holds.c.kind == REFUSALS, holds.c.state == OPEN)
    pending = and_(notices.c.state == PENDING, or_(notices.c.kind != REFUSED, not_(held)))
    return and_(pending, notices.c.kind.in_(sorted(URGENT_KINDS))) if urgent_only else pending


def _state_in_cycle(
    notice: Leased, row: ReviewRow | None, policy: Policy, today: date
) -> ReviewState | None:
    """Return the state of the review that a notice is about, or None if its cycle has ended."""
    if row is None or row.due_on != notice.due_on:
        return None
    return policy.state_of(row, today=today)


class _Facts:
    """The present state of what leased notices are about."""

    def as_now(self, notice: Leased, row: ReviewRow | None) -> Leased:
        """Return a notice with the present path of its document, and the version that a refusal keeps."""
        if notice.kind == REFUSED:
            # An older good version may have been stored since.
            now = self.refused[notice.path]
            return replace(notice, data=notice.data | {"kept": now.kept, "earlier": now.earlier})
        return notice if row is None else replace(notice, path=row.path)

    def __init__(self, connection: Connection, leased: Sequence[Leased]) -> None:
        d, p, c = documents.c, ledger.c, channels.c
        paths = sorted({n.path for n in leased if n.kind == REFUSED})
        stays = and_(d.state == LIVE, p.withheld.is_(None))
        kept, earlier = case((stays, d.number)), d.sha256 == p.sha256
        refused = select(p.path, p.sha256, kept.label("kept"), earlier.label("earlier"))
        refused = refused.outerjoin(documents, RESIDENT).where(IS_REFUSED)
        self.refused = {
            row.path: row
            for some in batched(paths, 500)
            for row in connection.execute(refused.where(p.path.in_(some)))
        }
        ids = sorted({n.document_id for n in leased if n.kind == RETRACTED and n.document_id})
        self.served = {
            number
            for some in batched(ids, 500)
            for number in connection.scalars(
                select(d.id).where(d.id.in_(some), d.state == LIVE, d.status == ACTIVE)
            )
        }
        self.failing_since = {}
        if any(n.kind == FAILING for n in leased):
            failing = select(c.name, c.failing_since).where(c.failing_since.is_not(None))
            self.failing_since = {
                row.name: row.failing_since.isoformat() for row in connection.execute(failing)
            }


def _columns_of(kind: type[Leased]) -> list[Any]:
    return [notices.c[column.name] for column in fields(kind)]
