"""The epochs of a store: within one, the IDs of events name the same events for ever.

A backup that is restored takes events away, and their IDs are given to others. So `restore-store` begins an
epoch, and so does proof from outside that the store is older than what it has already published: the stream
(`worker.messages.publish`) or the file `newest-event` (`worker.store.newest_event`). What an ID means depends
on its epoch, which is part of the source of each CloudEvent.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from worker.domain.folder.chain import Checkpoint, Epoch
from worker.domain.folder.cloud_event import BEGAN, Event, source_of
from worker.domain.folder.cursor import Cursor, is_lost
from worker.store import backup_postgresql, chain
from worker.store.documents import add_events, event_row
from worker.store.engine import Store
from worker.store.library import events_after
from worker.store.schema import epochs

#: Why an epoch began.
CREATED, RESTORED, FOUND = "created", "restored", "found restored"


def list_epochs(connection: Connection) -> list[Epoch]:
    """Return every epoch of the store, oldest first."""
    rows = connection.execute(select(epochs).order_by(epochs.c.number))
    return [Epoch(**row._asdict()) for row in rows]


def current(connection: Connection) -> Epoch:
    """Return the epoch that the store is in."""
    newest = select(epochs).order_by(epochs.c.number.desc()).limit(1)
    return Epoch(**connection.execute(newest).one()._asdict())


def checkpoint(connection: Connection) -> Checkpoint | None:
    """Return the newest event with its epoch and hash, or None before the first."""
    newest = chain.newest_link(connection)
    if newest is None:
        return None
    return Checkpoint(epoch=current(connection).epoch, event=newest[0], hash=newest[1])


def feed(connection: Connection, after: int, limit: int) -> list[Event]:
    """Return up to `limit` events after an ID, oldest first, each with the source of its epoch."""
    rows = events_after(connection, after, limit)
    newest_first = list_epochs(connection)[::-1] if rows else []

    def source(event_id: int) -> str:
        epoch = next(one for one in newest_first if one.event <= event_id)
        return source_of(epoch.library, epoch.epoch)

    return [Event(**row._asdict(), source=source(row.id)) for row in rows]


def has_lost(connection: Connection, cursor: Cursor) -> bool:
    """Return whether the store no longer has what a program has processed, by its cursor."""
    newest = chain.newest_event(connection)
    found = chain.hash_of(connection, cursor.event)
    return is_lost(cursor, list_epochs(connection), newest=newest, found=found)


def begin_first(connection: Connection, *, now: datetime) -> None:
    """Give a new store its name and its first epoch."""
    _add(connection, library=secrets.token_hex(8), reason=CREATED, now=now)


def begin(store: Store, *, instead_of: str, reason: str, after_event: int, now: datetime) -> None:
    """Begin an epoch, unless another process has already begun one after `instead_of`. Commits.

    `after_event` is the newest event that is certainly the same in all earlier epochs, 0 if none is.
    """

    def work(connection: Connection) -> None:
        store.lock_events(connection)
        before = current(connection)
        if before.epoch == instead_of:
            begin_within(connection, reason=reason, after_event=after_event, now=now)

    store.transact(work)


def begin_within(connection: Connection, *, reason: str, after_event: int, now: datetime) -> None:
    """Begin an epoch in a transaction that has the event lock."""
    before = current(connection)
    epoch = _new_name()
    data: dict[str, Any] = {
        "epoch": epoch,
        "previous": before.epoch,
        "reason": reason,
        "after": after_event,
    }
    add_events(connection, [event_row(now, BEGAN, "", **data)])
    _add(
        connection,
        epoch=epoch,
        library=before.library,
        reason=reason,
        after_event=after_event,
        event=chain.newest_event(connection),
        now=now,
    )


def begin_restored(store: Store, *, now: datetime) -> None:
    """Begin an epoch in a store that is a backup as it was made, and that nobody uses yet. Commits."""

    def work(connection: Connection) -> None:
        store.lock_events(connection)
        newest = chain.newest_event(connection)
        begin_within(connection, reason=RESTORED, after_event=newest, now=now)

    store.transact(work)


def finish_restore(store: Store, *, now: datetime) -> None:
    """Begin the epoch of a PostgreSQL store that was restored, if it has not begun yet. Commits."""
    if store.is_sqlite:
        return
    with store.read() as connection:
        if backup_postgresql.find_mark(connection) is None:
            return

    def work(connection: Connection) -> None:
        store.lock_events(connection)
        newest = backup_postgresql.find_mark(connection)
        if newest is not None:
            begin_within(connection, reason=RESTORED, after_event=newest, now=now)
            backup_postgresql.remove_mark(connection)

    store.transact(work)


def _add(
    connection: Connection,
    *,
    library: str,
    reason: str,
    now: datetime,
    epoch: str | None = None,
    after_event: int = 0,
    event: int = 0,
) -> None:
    row = {
        "epoch": epoch or _new_name(),
        "library": library,
        "began_at": now,
        "reason": reason,
        "after_event": after_event,
        "event": event,
    }
    connection.execute(insert(epochs), row)


def _new_name() -> str:
    return secrets.token_hex(6)
