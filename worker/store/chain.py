"""The hash chain over events, in the store.

Every event is chained where it is added, by `worker.store.documents.add_events`. Events that an earlier
version of the program added are chained by the migration, or before the next event. Commits nothing.
`worker.domain.folder.chain` says what the hashes are, and judges them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from worker.domain.folder.chain import START, chain_hash, content_hash
from worker.store.schema import events

_SALT_BYTES = 16
_AT_ONCE = 1000
_HASHES = ("salt", "content_sha256", "chain_sha256")


def chained(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return new events with their salts and hashes, in the order in which they will get their IDs.

    Take `Store.lock_events` first: the newest event is read by a statement of its own after the lock, so
    that it is the one before these.
    """
    e = events.c
    newest = connection.execute(
        select(e.id, e.chain_sha256).order_by(e.id.desc()).limit(1)
    ).one_or_none()
    if newest is None:
        previous = START
    elif newest.chain_sha256 is None:
        previous = chain_older(connection)
    else:
        previous = newest.chain_sha256
    return list(_linked(previous, rows))


def chain_older(connection: Connection) -> str:
    """Chain the events at the end that have no hashes yet; return the hash of the newest event."""
    e = events.c
    after, previous = newest_link(connection) or (0, START)
    page = select(e.id, e.at, e.kind, e.path, e.document_id, e.number, e.data).order_by(e.id)
    setting: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _HASHES}
    link = update(events).where(e.id == bindparam("event_id")).values(setting)
    while rows := connection.execute(page.where(e.id > after).limit(_AT_ONCE)).all():
        found = list(_linked(previous, [row._asdict() for row in rows]))
        connection.execute(
            link,
            [
                {"event_id": row["id"], **{f"new_{name}": row[name] for name in _HASHES}}
                for row in found
            ],
        )
        after, previous = found[-1]["id"], found[-1]["chain_sha256"]
    return previous


def chained_events(connection: Connection) -> Iterator[Any]:
    """Yield every event with its salt and hashes, oldest first."""
    query = select(events).order_by(events.c.id).execution_options(yield_per=_AT_ONCE)
    yield from connection.execute(query)


def hash_of(connection: Connection, event_id: int) -> str | None:
    """Return the hash of an event, or None if there is no such event, or it is not chained yet."""
    return connection.scalar(select(events.c.chain_sha256).where(events.c.id == event_id))


def newest_event(connection: Connection) -> int:
    """Return the ID of the newest event, 0 before the first."""
    return connection.scalar(select(func.max(events.c.id))) or 0


def newest_link(connection: Connection) -> tuple[int, str] | None:
    """Return the ID and the hash of the newest event that is chained, or None before the first."""
    e = events.c
    newest = connection.execute(
        select(e.id, e.chain_sha256)
        .where(e.chain_sha256.is_not(None))
        .order_by(e.id.desc())
        .limit(1)
    ).one_or_none()
    return None if newest is None else (newest.id, newest.chain_sha256)


def _linked(previous: str, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    salts = os.urandom(_SALT_BYTES * len(rows)).hex()
    for place, row in enumerate(rows):
        salt = salts[2 * _SALT_BYTES * place : 2 * _SALT_BYTES * (place + 1)]
        content = content_hash(salt, row)
        previous = chain_hash(previous, content)
        yield row | {"salt": salt, "content_sha256": content, "chain_sha256": previous}
